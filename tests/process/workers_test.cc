// Functions in worker processes: answers, logs, ends of every kind, and that nothing of it is left.
#include "process/workers.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/slowness.h"

namespace lambed::testing {
namespace {

BOOST_FIXTURE_TEST_SUITE(workers, WorkersFixture)

BOOST_AUTO_TEST_CASE(a_function_runs_in_a_process_of_its_own) {
  create("hello", "echo");
  create("pid", "pid");
  BOOST_TEST(invoke("hello", R"({"name":"Ada"})").payload == R"({"name":"Ada"})");
  BOOST_TEST(invoke("pid").payload != std::to_string(getpid()));
  BOOST_TEST(host().opened() == 0);  // nothing of it ran here
  BOOST_TEST((gateway->get_function_configuration("hello").isolation == Isolation::kProcess));
}

BOOST_AUTO_TEST_CASE(a_warm_environment_serves_again) {
  create("stamp", "stamp");
  const json cold = document(invoke("stamp"));
  for (int i = 0; i < 50; ++i) BOOST_TEST(document(invoke("stamp")) == cold);
  BOOST_TEST(gateway->usage("stamp").cold_starts == 1u);
}

BOOST_AUTO_TEST_CASE(the_context_of_an_invocation_arrives_whole) {
  CreateFunctionRequest request = isolated("who", "identify");
  request.memory_mb = kIsSanitized ? 1024 : 192;
  request.environment = std::map<std::string, std::string>{{"GREETING", "hi"}};
  gateway->create_function(request);
  InvokeRequest call{.function = "who", .payload = "{}"};
  call.client_context = R"({"custom":{"a":1}})";
  call.trace_id = "Root=1-2-3";
  const InvokeResult result = gateway->invoke(call);
  const json seen = document(result);
  BOOST_TEST(seen["function"] == "who");
  BOOST_TEST(seen["request_id"] == result.request_id);
  BOOST_TEST(seen["client_context"] == json::parse(call.client_context));
  BOOST_TEST(seen["trace_id"] == call.trace_id);
  BOOST_TEST(seen["variables"]["GREETING"] == "hi");
  BOOST_TEST(seen["variables"]["LAMBDA_TASK_ROOT"] == seen["task_root"]);
  BOOST_TEST(seen["memory_limit"] == *request.memory_mb * std::uint64_t{1024} * 1024);
}

BOOST_AUTO_TEST_CASE(the_process_has_the_functions_variables_and_no_others) {
  ::setenv("AWS_SECRET_ACCESS_KEY", "the server's", 1);
  CreateFunctionRequest request = isolated("env", "echo");
  request.environment = std::map<std::string, std::string>{{"GREETING", "hi"}};
  gateway->create_function(request);
  BOOST_TEST(run("env", "environ=GREETING").payload == "\"hi\"");
  BOOST_TEST(run("env", "environ=AWS_SECRET_ACCESS_KEY").payload == "null");
  BOOST_TEST(run("env", "environ=LAMBED_HOST_PATH").payload == "null");
  BOOST_TEST(run("env", "cwd").payload == run("env", "environ=LAMBDA_TASK_ROOT").payload);
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
}

BOOST_AUTO_TEST_CASE(code_that_the_server_keeps_itself_can_be_read_and_its_memory_is_told) {
  CreateFunctionRequest request = isolated("own", "main.handler");
  request.code = Code::inline_source("# the scripted host never reads this");
  gateway->create_function(request);
  const InvokeResult result = run("own", "sleep=50;text=x");
  BOOST_TEST(result.payload == "\"x\"");
  BOOST_TEST(result.report.max_memory_used_mb > 0);
}

BOOST_AUTO_TEST_CASE(large_payloads_come_back_and_larger_ones_are_refused) {
  create("hello", "echo");
  const std::string event = "\"" + std::string(6 * 1024 * 1024 - 2, 'x') + "\"";
  BOOST_TEST((invoke("hello", event).payload == event));
  BOOST_TEST(run("hello", "bytes=6291556").payload.size() == 6291556u);
  const InvokeResult large = run("hello", "bytes=6291557");
  BOOST_TEST(document(large)["errorType"] == "Function.ResponseSizeTooLarge");
  const InvokeResult huge = run("hello", "bytes=20000000");
  BOOST_TEST(document(huge)["errorType"] == "Function.ResponseSizeTooLarge");
  BOOST_TEST(run("hello", "text=still there").payload == "\"still there\"");
  BOOST_TEST(gateway->usage("hello").cold_starts == 1u);
}

BOOST_AUTO_TEST_CASE(errors_of_the_handler_leave_the_environment_in_service) {
  create("hello", "echo");
  const InvokeResult result = run("hello", "fail=ValueError");
  BOOST_TEST(result.function_error == "Unhandled");
  BOOST_TEST(document(result)["errorType"] == "ValueError");
  BOOST_TEST(run("hello", "text=x").payload == "\"x\"");
  BOOST_TEST(gateway->usage("hello").cold_starts == 1u);
}

BOOST_AUTO_TEST_CASE(repeated_and_foreign_completions_are_ignored) {
  create("hello", "echo");
  for (const char* script : {"twice;text=a", "stranger;text=a", "elsewhere;text=a"})
    BOOST_TEST(run("hello", script).payload == "\"a\"");
  BOOST_TEST(gateway->usage("hello").cold_starts == 1u);
}

// ---- Logs.

BOOST_AUTO_TEST_CASE(the_log_has_all_lines_between_start_and_report) {
  create("hello", "echo");
  run("hello", "out=2;err=1;log=1");
  const std::string text = log->text();
  std::size_t at = 0;
  for (const char* piece : {"INIT_START Runtime Version: scripted:1.0", "START RequestId", "out 1\n",
                            "out 2\n", "err 1\n", "log 1\n", "END RequestId", "REPORT RequestId"}) {
    const std::size_t found = text.find(piece, at);
    BOOST_TEST_REQUIRE(found != std::string::npos, piece << " is missing after " << at << " in\n" << text);
    at = found;
  }
}

BOOST_AUTO_TEST_CASE(what_the_process_and_its_children_write_themselves_is_logged_too) {
  create("hello", "echo");
  const InvokeResult result =
      gateway->invoke({.function = "hello",
                       .payload = do_script("fd1=to one;fd2=to two;child=from a child"),
                       .log_tail = true});
  BOOST_TEST(!result.log_tail.empty());
  const std::string text = log->text();
  for (const char* line : {"to one\n", "to two\n", "from a child\n"})
    BOOST_TEST(text.find(line) < text.find("END RequestId"), line);
}

BOOST_AUTO_TEST_CASE(a_megabyte_of_output_is_not_lost) {
  log = std::make_shared<MemoryLogSink>(16 << 20);
  gateway.emplace(options());
  CreateFunctionRequest request = isolated("hello", "echo");
  request.timeout_s = 60;
  gateway->create_function(request);
  run("hello", "out=100000");
  BOOST_TEST(log->text().find("out 100000\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_was_logged_before_a_crash_is_there) {
  create("hello", "echo");
  run("hello", "print=last words;fd1=really last;real-signal=9");
  BOOST_TEST(log->text().find("last words\n") != std::string::npos);
  BOOST_TEST(log->text().find("really last\n") != std::string::npos);
}

// ---- Ends.

BOOST_AUTO_TEST_CASE(a_worker_that_exits_is_answered_with_its_status_and_replaced) {
  create("hello", "echo");
  check_document(run("hello", "real-exit=3"), "Runtime.ExitError",
                 "Runtime exited with error: exit status 3");
  check_document(run("hello", "real-exit=0"), "Runtime.ExitError",
                 "Runtime exited without providing a reason");
  BOOST_TEST(run("hello", "text=x").payload == "\"x\"");
}

BOOST_AUTO_TEST_CASE(a_worker_that_a_signal_ends_is_answered_with_its_name) {
  create("hello", "echo");
  check_document(run("hello", "real-signal=9"), "Runtime.ExitError",
                 "Runtime exited with error: signal: killed");
  check_document(run("hello", "real-abort"), "Runtime.ExitError",
                 "Runtime exited with error: signal: aborted");
  if (kIsSanitized) return;  // they make an exit of a segmentation fault
  check_document(run("hello", "real-signal=11"), "Runtime.ExitError",
                 "Runtime exited with error: signal: segmentation fault");
  BOOST_TEST(run("hello", "text=x").payload == "\"x\"");
}

BOOST_AUTO_TEST_CASE(an_init_that_fails_answers_the_call_with_its_document) {
  create("bad", "init-fail=ImportError");
  BOOST_TEST(document(invoke("bad"))["errorType"] == "ImportError");
  create("exits", "init-real-exit=7");
  check_document(invoke("exits"), "Runtime.ExitError", "Runtime exited with error: exit status 7");
  create("dies", "init-real-abort");
  check_document(invoke("dies"), "Runtime.ExitError", "Runtime exited with error: signal: aborted");
  create("refused", "open-fail=nowhere");
  BOOST_TEST(document(invoke("refused"))["errorType"] == "Runtime.HostRefused");
}

BOOST_AUTO_TEST_CASE(an_init_that_hangs_is_answered_and_killed) {
  GatewayOptions quick = options();
  quick.quotas.init_timeout = 300ms;
  gateway.emplace(quick);
  create("slow", "init-stuck=60000");
  const InvokeResult result = invoke("slow");
  BOOST_TEST(document(result)["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(await([] { return worker_processes().empty(); }));
}

BOOST_AUTO_TEST_CASE(a_handler_that_hangs_is_answered_in_time_and_its_whole_tree_is_gone) {
  CreateFunctionRequest request = isolated("slow", "offspring=5;stuck=60000");
  const int seconds = slowness() > 1 ? 4 : 1;
  request.timeout_s = seconds;
  gateway->create_function(request);
  auto call = gateway->invoke_future({.function = "slow"});
  std::vector<pid_t> tree;
  BOOST_TEST(await([&] { return (tree = worker_processes()).size() >= 7; },  // init, handler, offspring
                   900ms * seconds));
  const InvokeResult result = result_of(call);
  check_document(result, "Sandbox.Timedout",
                 "Task timed out after " + std::to_string(seconds) + ".00 seconds");
  const auto is_gone = [&] {
    return std::none_of(tree.begin(), tree.end(), [](pid_t pid) { return kill(pid, 0) == 0; });
  };
  BOOST_TEST(await(is_gone, 1s));
  BOOST_TEST(gateway->status().abandoned == 0);
}

BOOST_AUTO_TEST_CASE(a_worker_that_dies_while_it_idles_is_replaced_without_anybody_noticing) {
  create("hello", "stamp");
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(invoke("hello").ok());
    for (const pid_t worker : worker_processes()) kill(worker, SIGKILL);
    BOOST_TEST(await([&] { return gateway->status().idle == 0; }, 20s));
  }
  BOOST_TEST(gateway->usage("hello").errors == 0u);
}

BOOST_AUTO_TEST_CASE(a_call_to_a_worker_that_has_just_died_goes_to_another_one) {
  create("hello", "stamp");
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(invoke("hello").ok());
    for (const pid_t worker : worker_processes()) kill(worker, SIGKILL);
    BOOST_TEST(invoke("hello").ok());
  }
  BOOST_TEST(gateway->usage("hello").errors == 0u);
}

BOOST_AUTO_TEST_CASE(a_worker_that_writes_over_the_shared_memory_is_killed) {
  create("hello", "echo");
  const InvokeResult result = run("hello", "scribble;stuck=60000");
  check_document(result, "Runtime.ExitError", "Runtime exited with error: signal: killed");
  BOOST_TEST(log->text().find("wrote over the memory") != std::string::npos);
  BOOST_TEST(run("hello", "text=x").payload == "\"x\"");
}

BOOST_AUTO_TEST_CASE(a_launcher_that_dies_takes_its_workers_along_and_is_replaced) {
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  auto call = start("hello", "fd1=begun;stuck=60000");
  // One that the worker has not begun would go to another worker.
  BOOST_TEST(await([&] { return log->text().find("begun\n") != std::string::npos; }));
  for (const pid_t launcher : launchers()) kill(launcher, SIGKILL);
  check_document(result_of(call), "Runtime.ExitError", "Runtime exited with error: signal: killed");
  BOOST_TEST(await([&] { return gateway->status().idle + gateway->status().busy == 0; }));
  BOOST_TEST(invoke("hello").ok());
}

// ---- Life.

BOOST_AUTO_TEST_CASE(calls_run_side_by_side) {
  create("hello", "echo");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(start("hello", "sleep=500;text=x"));
  for (auto& call : calls) BOOST_TEST(result_of(call).ok());
  BOOST_TEST(gateway->usage("hello").cold_starts >= 2u);
}

BOOST_AUTO_TEST_CASE(an_update_of_the_code_retires_the_workers_that_ran_the_old_one) {
  create("hello", "text=old");
  BOOST_TEST(invoke("hello").payload == "\"old\"");
  gateway->update_function_configuration({.name = "hello", .handler = "text=new"});
  BOOST_TEST(invoke("hello").payload == "\"new\"");
  BOOST_TEST(await([] { return worker_processes().size() <= 2; }));
  gateway->delete_function("hello");
  BOOST_TEST(await([] { return worker_processes().empty(); }));
}

BOOST_AUTO_TEST_CASE(an_idle_worker_is_frozen_and_thawed_by_the_next_call) {
  GatewayOptions quick = options();
  quick.freeze_after = 20ms;
  gateway.emplace(quick);
  create("hello", "stamp");
  const json first = document(invoke("hello"));
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(60ms);  // longer than freeze_after: there is nothing to see from outside
    BOOST_TEST(document(invoke("hello")) == first);
  }
}

// Of the memory that is shared with workers, as much as the system has given.
std::uint64_t shared_bytes() {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone).string().find("memfd:lambed-environment") ==
        std::string::npos)
      continue;
    struct stat found {};
    if (::stat(entry.path().c_str(), &found) == 0) bytes += static_cast<std::uint64_t>(found.st_blocks) * 512;
  }
  return bytes;
}

BOOST_AUTO_TEST_CASE(a_worker_that_is_frozen_gives_the_memory_of_large_payloads_back) {
  GatewayOptions quick = options();
  quick.freeze_after = 200ms;
  gateway.emplace(quick);
  create("hello", "echo");
  const std::string event = "\"" + std::string(6 * 1024 * 1024 - 2, 'x') + "\"";
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST((invoke("hello", event).payload == event));
    BOOST_TEST(shared_bytes() >= 12u << 20);
    BOOST_TEST(await([] { return shared_bytes() < 1u << 20; }));
    BOOST_TEST(invoke("hello", R"({"a":1})").payload == R"({"a":1})");
  }
  BOOST_TEST(gateway->usage("hello").cold_starts == 1u);
}

BOOST_AUTO_TEST_CASE(a_frozen_worker_can_be_closed) {
  GatewayOptions quick = options();
  quick.freeze_after = 5ms;
  gateway.emplace(quick);
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  std::this_thread::sleep_for(50ms);
  gateway->delete_function("hello");
  BOOST_TEST(await([] { return worker_processes().empty(); }, 2s));
}

BOOST_AUTO_TEST_CASE(an_environment_that_has_lived_its_time_serves_no_further_call) {
  GatewayOptions quick = options();
  quick.max_lifetime = 1s;
  gateway.emplace(quick);
  create("hello", "stamp");
  BOOST_TEST(invoke("hello").ok());
  std::this_thread::sleep_for(1100ms);
  BOOST_TEST(invoke("hello").ok());
  BOOST_TEST(gateway->usage("hello").cold_starts == 2u);
}

BOOST_AUTO_TEST_CASE(idle_workers_expire) {
  GatewayOptions quick = options();
  quick.idle_expiry = 50ms;
  gateway.emplace(quick);
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  BOOST_TEST(await([] { return worker_processes().empty(); }));
}

BOOST_AUTO_TEST_CASE(a_gateway_closes_with_calls_in_flight) {
  create("hello", "echo");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(start("hello", "stuck=60000"));
  BOOST_TEST(await([&] { return gateway->status().busy == 4; }));
  const auto begin = std::chrono::steady_clock::now();
  gateway->close();
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 2s));
  for (auto& call : calls) BOOST_TEST(std::string(error_of([&] { call.get(); }).name()) == "GatewayClosed");
  BOOST_TEST(worker_processes().empty());
}

BOOST_AUTO_TEST_CASE(both_isolations_live_side_by_side) {
  create("apart", "pid");
  gateway->create_function(function("here", "pid"));
  BOOST_TEST(invoke("here").payload == std::to_string(getpid()));
  BOOST_TEST(invoke("apart").payload != std::to_string(getpid()));
}

BOOST_AUTO_TEST_CASE(without_the_worker_program_the_error_says_what_is_missing) {
  ::setenv("LAMBED_WORKER", "/nowhere/lambed-worker", 1);
  GatewayOptions own = options();
  own.host_options["scripted"] = {{"one", "of its own"}};  // a launcher of its own
  gateway.emplace(own);
  create("hello", "echo");
  const Error error = error_of([&] { invoke("hello"); });
  ::unsetenv("LAMBED_WORKER");
  BOOST_TEST(std::string(error.name()) == "HostUnavailable");
  BOOST_TEST(error.message().find("/nowhere/lambed-worker") != std::string::npos);
  BOOST_TEST(invoke("hello").ok());
}

BOOST_AUTO_TEST_CASE(an_interpreter_that_does_not_start_says_why) {
  GatewayOptions own = options();
  own.host_options["scripted"] = {{"refuse", "no interpreter here"}};
  gateway.emplace(own);
  create("hello", "echo");
  BOOST_TEST(document(invoke("hello"))["errorMessage"].get<std::string>().find("no interpreter here") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_open_after_many_environments) {
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 50; ++i) run("hello", "real-exit=1");
  BOOST_TEST(await([&] { return open_descriptors() <= before + 8; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
