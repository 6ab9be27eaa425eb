// Environment variables: the function's own, in Python and in the processes it starts.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;
using nlohmann::json;

namespace {

std::set<int> child_processes() {
  std::set<int> children;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (int child = 0; list >> child;) children.insert(child);
  }
  return children;
}

EnvironmentSpec with_variables() {
  EnvironmentSpec spec;
  spec.variables = {{"STAGE", "test"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"TEXT", "gr\u00fc\u00df"}};
  return spec;
}

struct HostSecret {
  HostSecret() { setenv("LAMBED_TEST_SECRET", "of the application", 1); }
  ~HostSecret() { unsetenv("LAMBED_TEST_SECRET"); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(python_variables)

BOOST_AUTO_TEST_CASE(a_function_sees_its_variables_and_none_of_the_host) {
  const HostSecret secret;
  PythonFunction function(R"(
import os, posix
def handler(event, context):
    assert os.getenv('STAGE') == 'test' and os.environb[b'STAGE'] == b'test'
    assert b'LAMBED_TEST_SECRET' not in posix.environ
    return dict(os.environ)
)",
                          with_variables());
  const json expected = {
      {"STAGE", "test"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"TEXT", "gr\u00fc\u00df"}};
  BOOST_TEST(json_of(function.open().invoke("{}")) == expected);
}

BOOST_AUTO_TEST_CASE(what_a_function_sets_stays_in_its_environment) {
  setenv("LAMBED_TEST_KEPT", "kept", 1);
  PythonFunction function(R"(
import os
def handler(event, context):
    before = os.environ.get('CHANGED')
    os.environ['CHANGED'] = 'yes'
    os.putenv('LAMBED_TEST_PUT', 'yes')
    os.unsetenv('LAMBED_TEST_KEPT')
    return before
)");
  const HarnessEnvironment first = function.open();
  BOOST_TEST(first.invoke("{}").payload == "null");
  BOOST_TEST(first.invoke("{}").payload == "\"yes\"");
  BOOST_TEST(function.open().invoke("{}").payload == "null");
  BOOST_TEST(std::getenv("CHANGED") == nullptr);
  BOOST_TEST(std::getenv("LAMBED_TEST_PUT") == nullptr);
  BOOST_TEST(std::string(std::getenv("LAMBED_TEST_KEPT")) == "kept");
  unsetenv("LAMBED_TEST_KEPT");
}

BOOST_AUTO_TEST_CASE(every_way_to_start_a_process_passes_on_the_functions_variables_only) {
  const HostSecret secret;
  PythonFunction function(R"(
import os, subprocess, asyncio, tempfile

def read(start):
    with tempfile.NamedTemporaryFile('r') as out:
        start(out.name)
        return sorted(line.split('=')[0] for line in out.read().splitlines())

async def by_asyncio(name):
    child = await asyncio.create_subprocess_shell(f'env > {name}')
    await child.wait()

def wait(pid):
    os.waitpid(pid, 0)

ways = {
    'run': lambda name: subprocess.run(f'env > {name}', shell=True, check=True),
    'check_output': lambda name: open(name, 'wb').write(subprocess.check_output(['env'])),
    'no close_fds': lambda name: subprocess.run(['sh', '-c', f'env > {name}'], close_fds=False, check=True),
    'system': lambda name: os.system(f'env > {name}'),
    'popen': lambda name: os.popen(f'env > {name}').close(),
    'posix_spawn': lambda name: wait(os.posix_spawn('/bin/sh', ['sh', '-c', f'env > {name}'], os.environ)),
    'spawnlp': lambda name: os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', f'env > {name}'),
    'spawnv': lambda name: os.spawnv(os.P_WAIT, '/bin/sh', ['sh', '-c', f'env > {name}']),
    'asyncio': lambda name: asyncio.run(by_asyncio(name)),
}

def handler(event, context):
    os.environ['ADDED'] = '1'
    return {way: read(start) for way, start in ways.items()}
)",
                          with_variables());
  const json result = json_of(function.open().invoke("{}"));
  BOOST_TEST(result.size() == 9u);
  for (const auto& [way, names] : result.items()) {
    // sh adds PWD, SHLVL, _ and OLDPWD of its own.
    json without_shell = json::array();
    for (const json& name : names) {
      if (name != "PWD" && name != "SHLVL" && name != "_" && name != "OLDPWD") without_shell.push_back(name);
    }
    BOOST_TEST(without_shell == json::array({"ADDED", "PATH", "STAGE", "TEXT"}), way << ": " << names.dump());
  }
}

BOOST_AUTO_TEST_CASE(an_explicit_environment_of_a_child_is_kept) {
  PythonFunction function(
      "import subprocess\ndef handler(event, context):\n"
      "    return subprocess.check_output(['/usr/bin/env'], env={'ONLY': 'this'}).decode()\n",
      with_variables());
  BOOST_TEST(function.open().invoke("{}").payload == R"("ONLY=this\n")");
}

BOOST_AUTO_TEST_CASE(exit_codes_of_children_are_told_rightly) {
  PythonFunction function(R"(
import os, subprocess
def handler(event, context):
    return [os.waitstatus_to_exitcode(os.system('exit 3')), subprocess.call(['sh', '-c', 'exit 4']),
            os.waitstatus_to_exitcode(os.system('kill -9 $$')), os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', 'exit 5')]
)",
                          with_variables());
  BOOST_TEST(function.open().invoke("{}").payload == "[3, 4, -9, 5]");
}

BOOST_AUTO_TEST_CASE(multiprocessing_works_and_its_processes_see_the_functions_variables) {
  const HostSecret secret;
  PythonFunction function(R"(
import multiprocessing, os
def work(connection):
    connection.send([os.environ.get('STAGE'), os.environ.get('LAMBED_TEST_SECRET')])
def handler(event, context):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=work, args=(theirs,))
    process.start()
    answer = ours.recv()
    process.join()
    return answer
)",
                          with_variables());
  const std::set<int> before = child_processes();
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"(["test", null])");
  environment.close();
  // Its resource tracker is made to outlive the process that starts it.
  BOOST_TEST(child_processes() == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_trace_id_is_a_variable_for_one_invocation) {
  PythonFunction function(R"(
import os, subprocess
def handler(event, context):
    child = subprocess.check_output('echo "$_X_AMZN_TRACE_ID"', shell=True).decode().strip()
    return [os.environ.get('_X_AMZN_TRACE_ID'), child]
)",
                          with_variables());
  const HarnessEnvironment environment = function.open();
  InvocationSpec invocation;
  invocation.trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
  BOOST_TEST(environment.invoke(invocation).payload ==
             "[\"" + invocation.trace_id + "\", \"" + invocation.trace_id + "\"]");
  BOOST_TEST(environment.invoke("{}").payload == R"([null, ""])");
}

BOOST_AUTO_TEST_SUITE_END()
