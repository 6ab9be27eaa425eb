// What would end or change the whole process ends or changes one environment, or nothing.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;
using nlohmann::json;

namespace {

Outcome exit_of(const std::string& body) {
  PythonFunction function(
      "import os, signal, sys, threading, time, subprocess, asyncio\ndef handler(event, context):\n    " +
      body + "\n    return 'went on'\n");
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke("{}");
  BOOST_TEST_CONTEXT(body) {
    BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
    BOOST_TEST(outcome.discards());
  }
  environment.close();
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(python_containment)

BOOST_AUTO_TEST_CASE(exits_end_the_environment_with_their_code) {
  BOOST_TEST(exit_of("sys.exit(127)").exit_code == 127);
  BOOST_TEST(exit_of("sys.exit()").exit_code == 0);
  BOOST_TEST(exit_of("sys.exit('words')").exit_code == 1);
  BOOST_TEST(exit_of("raise SystemExit(3)").exit_code == 3);
  BOOST_TEST(exit_of("os._exit(5)").exit_code == 5);
  BOOST_TEST(exit_of("threading.Thread(target=os._exit, args=(6,)).start(); time.sleep(0.2)").exit_code == 6);
  BOOST_TEST(exit_of("raise asyncio.CancelledError").exit_code == 1);
}

BOOST_AUTO_TEST_CASE(fatal_signals_to_the_own_process_end_the_environment) {
  BOOST_TEST(exit_of("os.abort()").term_signal == SIGABRT);
  BOOST_TEST(exit_of("os.kill(os.getpid(), signal.SIGKILL)").term_signal == SIGKILL);
  BOOST_TEST(exit_of("os.kill(0, signal.SIGTERM)").term_signal == SIGTERM);
  BOOST_TEST(exit_of("signal.raise_signal(signal.SIGINT)").term_signal == SIGINT);
  BOOST_TEST(exit_of("raise KeyboardInterrupt").term_signal == SIGINT);
}

BOOST_AUTO_TEST_CASE(an_exit_cannot_be_swallowed) {
  PythonFunction function(R"(
import os
def handler(event, context):
    while True:
        try:
            os._exit(9)
        except BaseException:
            pass
)");
  const Outcome outcome = function.open().invoke("{}");
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(outcome.exit_code == 9);
}

BOOST_AUTO_TEST_CASE(an_exit_in_init_is_told) {
  for (const std::string exit : {"import sys; sys.exit(4)", "import os; os._exit(4)"}) {
    PythonFunction function(exit + "\n");
    const std::optional<Outcome> outcome = function.start().wait_opened();
    BOOST_TEST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_EXITED);
    BOOST_TEST(outcome->exit_code == 4);
  }
}

BOOST_AUTO_TEST_CASE(exec_runs_the_program_and_ends_the_environment_as_it_ended) {
  PythonFunction function(R"(
import os
def handler(event, context):
    os.execlp('sh', 'sh', '-c', 'echo "$STAGE" from exec; exit 12')
)");
  function.spec.variables = {{"STAGE", "test"}, {"PATH", "/usr/bin:/bin"}};
  const HarnessEnvironment environment = function.open();
  const Outcome outcome = environment.invoke("{}");
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(outcome.exit_code == 12);
  BOOST_TEST(environment.wait_log("test from exec\n"));
}

BOOST_AUTO_TEST_CASE(exec_of_nothing_is_an_ordinary_error) {
  PythonFunction function(
      "import os\ndef handler(event, context):\n    os.execv('/absent/program', ['program'])\n");
  BOOST_TEST(function.open().invoke("{}").error_type == "FileNotFoundError");
}

BOOST_AUTO_TEST_CASE(fork_is_refused_with_a_remedy) {
  PythonFunction function("import os\ndef handler(event, context):\n    os.fork()\n");
  const Outcome outcome = function.open().invoke("{}");
  BOOST_TEST(outcome.error_type == "RuntimeError");
  BOOST_TEST(outcome.payload.find("subprocess") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_working_directory_is_the_environments_own) {
  const std::filesystem::path before = std::filesystem::current_path();
  PythonFunction function(R"(
import os, subprocess, threading
def handler(event, context):
    start = os.getcwd()
    if event:
        os.chdir('/')
        os.umask(0o077)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(os.getcwd()))
    thread.start()
    thread.join()
    return [start, os.getcwd(), subprocess.check_output(['pwd']).decode().strip(), seen[0]]
)");
  const mode_t mask = umask(022);
  umask(022);
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  const std::string& folder = function.folder();
  BOOST_TEST(json_of(first.invoke("1")) == json::array({folder, "/", "/", "/"}));
  BOOST_TEST(json_of(second.invoke("0")) == json::array({folder, folder, folder, folder}));
  BOOST_TEST(std::filesystem::current_path() == before);
  BOOST_TEST(umask(mask) == 022u);
}

BOOST_AUTO_TEST_CASE(calls_that_would_change_the_process_are_refused) {
  PythonFunction function(R"(
import os, signal, locale, resource
calls = {
    'setuid': lambda: os.setuid(os.getuid()), 'setgroups': lambda: os.setgroups([]), 'setsid': os.setsid,
    'chroot': lambda: os.chroot('/'), 'alarm': lambda: signal.alarm(1),
    'setitimer': lambda: signal.setitimer(signal.ITIMER_REAL, 1), 'signal': lambda: signal.signal(signal.SIGTERM, print),
    'setlocale': lambda: locale.setlocale(locale.LC_ALL, 'C'), 'setrlimit': lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
}
def handler(event, context):
    refused = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:
            refused[name] = type(error).__name__
    locale.setlocale(locale.LC_ALL)
    os.kill(os.getpid(), 0)
    os.kill(os.getpid(), signal.SIGCHLD)
    return refused
)");
  const json expected = {
      {"setuid", "PermissionError"}, {"setgroups", "PermissionError"}, {"setsid", "PermissionError"},
      {"chroot", "PermissionError"}, {"alarm", "ValueError"},          {"setitimer", "ValueError"},
      {"signal", "ValueError"},      {"setlocale", "Error"},           {"setrlimit", "PermissionError"}};
  BOOST_TEST(json_of(function.open().invoke("{}")) == expected);
}

BOOST_AUTO_TEST_CASE(a_closed_socket_gives_an_error_and_does_not_kill_the_application) {
  PythonFunction function(R"(
import socket, subprocess
def handler(event, context):
    ours, theirs = socket.socketpair()
    theirs.close()
    try:
        ours.send(b'x')
    except BrokenPipeError:
        # A child must still die of SIGPIPE, as programs in a pipeline expect.
        return subprocess.run('yes | head -1; exit 0', shell=True, capture_output=True, timeout=10).stderr.decode()
)");
  struct sigaction before {};
  struct sigaction now {};
  sigaction(SIGPIPE, nullptr, &before);
  BOOST_TEST(function.open().invoke("{}").payload == "\"\"");
  sigaction(SIGPIPE, nullptr, &now);
  BOOST_TEST(before.sa_handler == now.sa_handler);
}

BOOST_AUTO_TEST_CASE(threads_that_a_function_leaves_behind_do_not_hold_up_its_end) {
  PythonFunction function(R"(
import threading, time, concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor(2)
pool.submit(print, 'warm').result()
def spin():
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
threading.Thread(target=spin).start()
threading.Thread(target=spin, daemon=True).start()
def handler(event, context):
    return threading.active_count()
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == "4");
  const auto begin = std::chrono::steady_clock::now();
  environment.close();
  BOOST_TEST((std::chrono::steady_clock::now() - begin) < std::chrono::seconds(5));
}

#ifndef __SANITIZE_ADDRESS__  // Python cannot be finalised after it: what those interpreters hold counts as leaked
// What burns in C until it has outlived its environment keeps the interpreter, and others want the lock while it ends.
BOOST_AUTO_TEST_CASE(threads_that_end_after_their_environment_do_no_harm) {
  PythonFunction function(R"(
import hashlib, threading
def burn(rounds):
    hashlib.pbkdf2_hmac('sha256', b'password', b'salt', rounds)
def handler(event, context):
    threading.Thread(target=burn, args=(event,), daemon=True).start()
)");
  constexpr int kEnvironments = 24;
  const auto threads = [] {
    const std::filesystem::directory_iterator all("/proc/self/task");
    return std::distance(begin(all), end(all));
  };
  const HarnessEnvironment first = function.open();  // starts the host
  const auto before = threads();
  std::vector<HarnessEnvironment> environments;
  for (int i = 0; i < kEnvironments; ++i) environments.push_back(function.open());
  for (int i = 0; i < kEnvironments; ++i)
    BOOST_TEST(environments[i].invoke(std::to_string(300'000 + i * 10'000)).succeeded());
  for (const HarnessEnvironment& environment : environments) environment.request_close();
  for (const HarnessEnvironment& environment : environments) BOOST_TEST(environment.wait_closed());
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (threads() > before && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  BOOST_TEST(threads() <= before);
  BOOST_TEST(first.invoke("1").succeeded());
}
#endif

BOOST_AUTO_TEST_SUITE_END()
