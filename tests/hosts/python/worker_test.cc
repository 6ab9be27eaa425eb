// Python in worker processes: forked from a launcher with the interpreter warm, one environment each.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "hosts/python/python_fixture.h"
#include "support/sanitized.h"
#include "support/worker_launcher.h"

namespace lambed::testing {
namespace {

using nlohmann::json;

Pairs interpreter() {
  const char* const wanted = std::getenv("LAMBED_TEST_PYTHON");
  return wanted == nullptr ? Pairs{} : Pairs{{"interpreter", wanted}};
}

// The launcher looks for its interpreter where this process has looked.
Pairs launcher_variables() {
  Pairs variables = {{"LAUNCHER_ONLY", "1"}};
  for (const char* const name : {"PATH", "HOME", "PYENV_ROOT", "LAMBED_PYTHON"}) {
    if (const char* const value = std::getenv(name)) variables.emplace_back(name, value);
  }
  return variables;
}

// Runs the event's "code" in the handler; what that leaves in `result` is the answer.
const char* const kRunner = R"(import os, signal, subprocess, sys, threading
def handler(event, context):
    if not isinstance(event, dict) or 'code' not in event:
        return event
    names = dict(globals(), result=None, context=context)
    exec(event['code'], names)
    return names['result']
)";

std::string code(const std::string& text) { return json{{"code", text}}.dump(); }

struct LauncherFixture {
  WorkerLauncher launcher{HostHarness::plugin("liblambed_host_python.so"), interpreter(),
                          launcher_variables()};
  PythonFunction function{kRunner};
  std::unique_ptr<Worker> open() { return launcher.open(function.spec); }
  json run(const std::string& text) { return json_of(open()->invoke(code(text))); }
  // How the process ends that runs it.
  ProcessEnd end_of(const std::string& text) {
    const auto worker = open();
    BOOST_TEST(!worker->try_invoke(code(text)).has_value());
    return worker->wait_end();
  }
};

BOOST_FIXTURE_TEST_SUITE(a_python_worker, LauncherFixture)

BOOST_AUTO_TEST_CASE(is_forked_from_a_process_of_one_thread_again_and_again) {
  BOOST_TEST(launcher.threads() == 1);
  for (int i = 0; i < 5; ++i) {
    const auto worker = open();
    BOOST_TEST(worker->launcher_threads() == 1);
    BOOST_TEST(worker->invoke(std::to_string(i)).payload == std::to_string(i));
    worker->close();
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(lives_beside_others) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 12; ++i) workers.push_back(launcher.launch(function.spec));
  for (const auto& worker : workers) BOOST_TEST_REQUIRE(worker->wait_opened().has_value());
  std::vector<std::uint64_t> tokens;
  InvocationSpec invocation;
  invocation.event = code("import random; result = random.random()");
  for (const auto& worker : workers) tokens.push_back(worker->submit(invocation));
  std::vector<std::string> answers;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::optional<Outcome> outcome = workers[i]->wait_outcome(tokens[i]);
    BOOST_TEST_REQUIRE(outcome.has_value());
    answers.push_back(outcome->payload);
  }
  std::sort(answers.begin(), answers.end());
  // Each has a random generator of its own.
  BOOST_TEST((std::unique(answers.begin(), answers.end()) == answers.end()));
}

BOOST_AUTO_TEST_CASE(goes_on_being_forked_after_others_have_died) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGTERM}) {
    const auto worker = open();
    ::kill(worker->pid(), signal);
    BOOST_TEST(worker->wait_end().signal == signal);
    BOOST_TEST(open()->invoke("1").payload == "1");
  }
}

BOOST_AUTO_TEST_CASE(echoes_small_and_large_events) {
  const auto worker = open();
  const std::string small = R"({"a": [1, 2.5, null, "x"], "b": ")" + std::string(70, 'y') + "\"}";
  BOOST_TEST(worker->invoke(small).payload == small);
  const std::string large = "\"" + std::string(1 << 20, 'z') + "\"";
  BOOST_TEST((worker->invoke(large).payload == large));
  BOOST_TEST(worker->invoke(small).payload == small);
}

BOOST_AUTO_TEST_CASE(runs_handlers_on_the_main_thread) {
  BOOST_TEST(run("result = threading.current_thread() is threading.main_thread()").get<bool>());
  BOOST_TEST(run("result = threading.active_count()") == 1);
}

BOOST_AUTO_TEST_CASE(lets_handlers_handle_signals) {
  const auto worker = open();
  const Outcome outcome = worker->invoke(code(R"(
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
os.kill(os.getpid(), signal.SIGUSR1)
result = seen == [signal.SIGUSR1], signal.getsignal(signal.SIGINT) is signal.default_int_handler
)"));
  BOOST_TEST(outcome.payload == "[true, true]");
  const Outcome alarm = worker->invoke(code(R"(
import time
def ring(number, frame): raise TimeoutError('alarm')
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.02)
time.sleep(10)
)"));
  BOOST_TEST(json::parse(alarm.payload).at("errorMessage") == "alarm");
}

BOOST_AUTO_TEST_CASE(ends_as_the_handler_ends_it) {
  BOOST_TEST(end_of("os._exit(7)").exit_code == 7);
  BOOST_TEST(end_of("os.abort()").signal == SIGABRT);
  BOOST_TEST(end_of("os.kill(os.getpid(), signal.SIGKILL)").signal == SIGKILL);
  BOOST_TEST(end_of("signal.raise_signal(signal.SIGTERM)").signal == SIGTERM);
  BOOST_TEST(
      end_of("threading.Thread(target=os._exit, args=(5,)).start(); threading.Event().wait()").exit_code ==
      5);
  BOOST_TEST(end_of("os.execv('/bin/sh', ['sh', '-c', 'exit 6'])").exit_code == 6);
}

BOOST_AUTO_TEST_CASE(answers_sys_exit_as_in_process) {
  for (const char* const text : {"sys.exit(3)", "sys.exit()", "raise SystemExit('bye')"}) {
    const auto worker = open();
    const Outcome here = worker->invoke(code(text));
    const HarnessEnvironment environment = function.open();
    const Outcome there = environment.invoke(code(text));
    BOOST_TEST(here.kind == LAMBED_OUTCOME_EXITED);
    BOOST_TEST(here.kind == there.kind);
    BOOST_TEST(here.exit_code == there.exit_code);
    BOOST_TEST(worker->log() == environment.log());
    environment.close();
  }
}

BOOST_AUTO_TEST_CASE(writes_the_same_error_documents_and_logs_as_in_process) {
  for (const char* const text : {"1/0", "result = object()", "raise Exception", "raise KeyError('x')",
                                 "import nothing_such", "raise MemoryError('m')"}) {
    const auto worker = open();
    const Outcome here = worker->invoke(code(text));
    const HarnessEnvironment environment = function.open();
    const Outcome there = environment.invoke(code(text));
    BOOST_TEST(here.kind == LAMBED_OUTCOME_FUNCTION_ERROR, text);
    BOOST_TEST(here.payload == there.payload);
    BOOST_TEST(here.error_type == there.error_type);
    BOOST_TEST(worker->log() == environment.log());
    environment.close();
  }
}

BOOST_AUTO_TEST_CASE(writes_the_same_init_errors_as_in_process) {
  function.with("bad.py", "def f():\n    raise RuntimeError('boom')\nf()\n").with("wrong.py", "def f(:\n");
  for (const char* const handler :
       {"missing.handler", "app.missing", "bad.handler", "wrong.handler", "nodot", "sys.handler"}) {
    function.spec.handler = handler;
    const auto worker = launcher.launch(function.spec);
    const std::optional<Outcome> here = worker->wait_opened();
    const HarnessEnvironment environment = function.start();
    const std::optional<Outcome> there = environment.wait_opened();
    BOOST_TEST_REQUIRE((here.has_value() && there.has_value()), handler);
    BOOST_TEST(here->kind == LAMBED_OUTCOME_FUNCTION_ERROR);
    BOOST_TEST(here->payload == there->payload);
    BOOST_TEST(here->error_type == there->error_type);
    BOOST_TEST(here->discards());
    BOOST_TEST(worker->wait_end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(can_end_in_its_init) {
  function.with("leaves.py", "import os\nos._exit(9)\n");
  function.spec.handler = "leaves.handler";
  const auto worker = launcher.launch(function.spec);
  BOOST_TEST(!worker->wait_opened().has_value());
  BOOST_TEST(worker->wait_end().exit_code == 9);
}

BOOST_AUTO_TEST_CASE(logs_what_is_printed_and_lets_children_write_to_its_descriptors) {
  const auto worker = open();
  worker->invoke(code(R"(
print('printed')
sys.stderr.write('no newline')
import logging
logging.getLogger().warning('logged')
os.write(1, b'written\n')
subprocess.run(['echo', 'from a child'])
)"));
  BOOST_TEST(worker->log(LAMBED_STREAM_STDOUT) == "printed\n");
  BOOST_TEST(worker->log(LAMBED_STREAM_STDERR) == "no newline");
  BOOST_TEST(worker->log(LAMBED_STREAM_LOG).find("\tlogged\n") != std::string::npos);
  BOOST_TEST(worker->wait_output("written\nfrom a child\n"));
}

BOOST_AUTO_TEST_CASE(gives_the_function_the_process_s_variables_and_folder) {
  function.spec.variables = {{"NAME", "value"}, {"TZ", "Asia/Tokyo"}, {"PATH", "/usr/bin:/bin"}};
  const auto worker = open();
  const json seen =
      json_of(worker->invoke(code("import time; result = dict(os.environ), "
                                  "subprocess.check_output('env').decode(), os.getcwd(), time.tzname[0]")));
  BOOST_TEST((seen[0] == json{{"NAME", "value"}, {"TZ", "Asia/Tokyo"}, {"PATH", "/usr/bin:/bin"}}));
  BOOST_TEST(seen[1].get<std::string>().find("NAME=value\n") != std::string::npos);
  BOOST_TEST(seen[1].get<std::string>().find("LAUNCHER_ONLY") == std::string::npos);
  BOOST_TEST(seen[2] == function.folder());
  InvocationSpec traced;
  traced.event =
      code("result = os.environ.get('_X_AMZN_TRACE_ID'), subprocess.getoutput('echo $_X_AMZN_TRACE_ID')");
  traced.trace_id = "Root=1-2";
  BOOST_TEST(worker->wait_outcome(worker->submit(traced))->payload == R"(["Root=1-2", "Root=1-2"])");
  traced.trace_id.clear();
  BOOST_TEST(worker->wait_outcome(worker->submit(traced))->payload == R"([null, ""])");
}

BOOST_AUTO_TEST_CASE(lets_handlers_fork) {
  const auto worker = open();
  const Outcome outcome = worker->invoke(code(R"(
print('kept back', end='')
child = os.fork()
if child == 0:
    print('in the child')
    sys.exit(4)
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
)"));
  BOOST_TEST(outcome.payload == "4");
  BOOST_TEST(worker->wait_output("in the child\n"));
  BOOST_TEST(worker->log() == "kept back");
  BOOST_TEST(worker
                 ->invoke(code(R"(
child = os.fork()
if child == 0:
    raise ValueError('in the child')
result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
)"))
                 .payload == "1");
  BOOST_TEST(worker->wait_output("ValueError: in the child"));
  BOOST_TEST(worker->invoke("5").payload == "5");
}

BOOST_AUTO_TEST_CASE(lets_handlers_use_multiprocessing_threads_and_asyncio) {
  function.with("pools.py", R"(import asyncio, multiprocessing, threading
from concurrent.futures import ThreadPoolExecutor
def double(x): return 2 * x
def handler(event, context):
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=theirs.send, args=(double(4),))
    child.start()
    got = ours.recv()
    child.join()
    async def later():
        await asyncio.sleep(0.001)
        return await asyncio.to_thread(double, 5)
    with ThreadPoolExecutor(3) as pool:
        return [got, asyncio.run(later()), list(pool.map(double, range(3))), multiprocessing.get_start_method()]
)");
  function.spec.handler = "pools.handler";
  BOOST_TEST(json_of(open()->invoke("{}")).dump() == R"([8,10,[0,2,4],"fork"])");
}

BOOST_AUTO_TEST_CASE(closes_beside_threads_that_do_not_end) {
  const auto worker = open();
  worker->invoke(code("threading.Thread(target=threading.Event().wait).start()"));
  worker->close();
  BOOST_TEST(worker->wait_end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(changes_its_process_freely) {
  BOOST_TEST(run(R"(
import locale, resource
os.chdir('/')
os.umask(0o27)
os.setsid()
locale.setlocale(locale.LC_ALL, 'C')
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
result = os.getcwd()
)") == "/");
}

BOOST_AUTO_TEST_CASE(finds_the_function_s_own_modules_though_the_launcher_has_some_of_that_name) {
  function.with("uuid.py", "WHOSE = 'ours'\n").with("hmac/__init__.py", "WHOSE = 'ours too'\n");
  BOOST_TEST(run("import uuid, hmac, tempfile; result = uuid.WHOSE, hmac.WHOSE, len(tempfile.mktemp()) > 3")
                 .dump() == R"(["ours","ours too",true])");
}

BOOST_AUTO_TEST_CASE(answers_soon_and_adds_little_memory) {
  std::vector<double> milliseconds;
  for (int i = 0; i < 15; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto worker = open();
    worker->invoke("1");
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    BOOST_TEST(worker->private_memory() < std::uint64_t{kIsSanitized ? 8 : 5} << 20);
    if (i == 14)
      BOOST_TEST_MESSAGE("private memory of a worker: " << worker->private_memory() / 1024 << " KiB");
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  BOOST_TEST_MESSAGE("fork to first answer: " << milliseconds[7] << " ms at the median, "
                                              << milliseconds.front() << " at best");
  BOOST_TEST(milliseconds.front() < 100);  // an interpreter that starts takes longer than this
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
