// Functions that change while they are being invoked: what runs, runs on; what comes next is new.
#include <filesystem>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

struct UpdatesFixture : GatewayFixture {
  FunctionConfiguration create_tagged(const std::string& tag) {
    CreateFunctionRequest request = function("hello", "stamp");
    request.environment = std::map<std::string, std::string>{{"TAG", tag}};
    return gateway.create_function(request);
  }
  void tag(const std::string& text) {
    gateway.update_function_configuration(
        {.name = "hello", .environment = std::map<std::string, std::string>{{"TAG", text}}});
  }
  std::future<InvokeResult> hold(const Gate& gate) {
    auto held = start("hello", do_script("wait=" + gate.name() + ";stamp"));
    BOOST_TEST(gate.await_waiting(1));
    return held;
  }
  json run() { return document(gateway.invoke({.function = "hello"})); }
};

BOOST_FIXTURE_TEST_SUITE(updates, UpdatesFixture)

BOOST_AUTO_TEST_CASE(an_update_leaves_the_running_call_alone_and_reaches_the_next_one) {
  create_tagged("old");
  Gate gate;
  auto held = hold(gate);
  tag("new");
  BOOST_TEST(run()["tag"] == "new");
  gate.open();
  BOOST_TEST(document(result_of(held))["tag"] == "old");
  for (int i = 0; i < 5; ++i) BOOST_TEST(run()["tag"] == "new");
  BOOST_TEST(await([&] { return host().environments() == 1; }));
}

BOOST_AUTO_TEST_CASE(new_code_reaches_the_next_call) {
  create("hello", "identify");
  const json before = run();
  TemporaryFolder other;
  other.write("main.script", "other code");
  gateway.update_function_code({.name = "hello", .code = Code::directory(other.path())});
  const json after = run();
  if (tested_isolation() == Isolation::kInProcess) {  // workers have it at /var/task, whatever it is
    BOOST_TEST(before["task_root"] == code.path());
    BOOST_TEST(after["task_root"] == other.path());
  }
  BOOST_TEST(before["code_id"] != after["code_id"]);
  BOOST_TEST(before["function_id"] == after["function_id"]);
}

// A worker cannot tell where on the machine its code lies.
BOOST_AUTO_TEST_CASE(the_files_of_code_that_is_gone_are_removed, *boost::unit_test::label("in_process")) {
  GatewayOptions hasty = options();
  hasty.idle_expiry = 1s;
  Gateway other(hasty);
  CreateFunctionRequest request = function("hello", "main.identify");
  request.code = Code::inline_source("old code");
  other.create_function(request);
  const auto root = [&](const std::string& script) {
    return document(other.invoke({.function = "hello", .payload = do_script(script)}))["task_root"]
        .get<std::string>();
  };
  const std::string before = root("identify");
  BOOST_TEST(std::filesystem::exists(before));
  Gate gate;
  auto held = other.invoke_future({.function = "hello", .payload = do_script("wait=" + gate.name())});
  BOOST_TEST(gate.await_waiting(1));
  other.update_function_code({.name = "hello", .code = Code::inline_source("new code")});
  const std::string after = root("identify");
  BOOST_TEST(before != after);
  BOOST_TEST(std::filesystem::exists(before));  // an environment still runs the old code
  gate.open();
  BOOST_TEST(result_of(held).ok());
  BOOST_TEST(await([&] { return !std::filesystem::exists(before); }));
  other.delete_function("hello");
  BOOST_TEST(await([&] { return !std::filesystem::exists(after); }));
}

// An update closes the environments that idle, also those that were to serve what waits already; the one that is left may end.
BOOST_AUTO_TEST_CASE(calls_that_end_their_environment_leave_no_other_call_behind_through_updates) {
  create_tagged("0");
  constexpr int kCallers = 12;
  std::atomic<bool> stopping{false};
  std::atomic<int> late{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int call = 0; !stopping.load(); ++call) {
        const char* const script = (call + i) % 4 == 0 ? "exit=1" : "stamp";
        const InvokeResult result = gateway.invoke({.function = "hello", .payload = do_script(script)});
        if (result.payload.find("Sandbox.Timedout") != std::string::npos) ++late;
      }
    });
  }
  for (int i = 0; i < 400; ++i) {
    tag(std::to_string(i));
    std::this_thread::sleep_for(2ms);
  }
  stopping.store(true);
  for (std::thread& caller : callers) caller.join();
  BOOST_TEST(late == 0);
}

BOOST_AUTO_TEST_CASE(no_call_that_begins_after_an_update_sees_the_older_one) {
  create_tagged("0");
  for (int i = 1; i <= 100; ++i) {
    tag(std::to_string(i));
    BOOST_REQUIRE(run()["tag"] == std::to_string(i));
  }
  BOOST_TEST(await([&] { return host().environments() == 1; }));
}

BOOST_AUTO_TEST_CASE(changing_concurrency_or_publishing_keeps_the_environments) {
  create_tagged("same");
  const json before = run();
  gateway.put_function_concurrency("hello", 5);
  gateway.publish_version({.name = "hello"});
  gateway.create_alias({.function = "hello", .alias = "live", .version = "1"});
  BOOST_TEST(run()["environment"] == before["environment"]);
}

BOOST_AUTO_TEST_CASE(deleting_a_function_lets_its_running_call_finish) {
  create_tagged("old");
  Gate gate;
  auto held = hold(gate);
  gateway.delete_function("hello");
  BOOST_TEST(std::string(error_of([&] { run(); }).name()) == "ResourceNotFoundException");
  gate.open();
  BOOST_TEST(document(result_of(held))["tag"] == "old");
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_function_made_again_under_its_name_is_another_one) {
  create_tagged("old");
  const json before = run();
  Gate gate;
  auto held = hold(gate);
  gateway.delete_function("hello");
  create_tagged("new");
  const json after = run();
  BOOST_TEST(after["tag"] == "new");
  BOOST_TEST(after["function_id"] != before["function_id"]);
  BOOST_TEST(after["environment"] != before["environment"]);
  gate.open();
  const json finished = document(result_of(held));
  BOOST_TEST(finished["tag"] == "old");
  BOOST_TEST(finished["function_id"] == before["function_id"]);
  BOOST_TEST(run()["tag"] == "new");
  BOOST_TEST(gateway.usage("hello").requests == 2u);
}

BOOST_AUTO_TEST_CASE(calls_that_wait_for_an_environment_run_on_the_version_they_were_admitted_to) {
  Gate init;
  CreateFunctionRequest request = function("hello", "init-wait=" + init.name() + ";stamp");
  request.environment = std::map<std::string, std::string>{{"TAG", "old"}};
  gateway.create_function(request);
  auto waiting = start("hello");
  BOOST_TEST(init.await_waiting(1));
  tag("new");
  auto next = start("hello");
  BOOST_TEST(init.await_waiting(2));
  init.open();
  BOOST_TEST(document(result_of(waiting))["tag"] == "old");
  BOOST_TEST(document(result_of(next))["tag"] == "new");
}

BOOST_AUTO_TEST_CASE(deleting_a_function_whose_environment_is_opening_answers_its_call) {
  Gate init;
  create("hello", "init-wait=" + init.name() + ";text=made-it");
  auto waiting = start("hello");
  BOOST_TEST(init.await_waiting(1));
  gateway.delete_function("hello");
  init.open();
  BOOST_TEST(result_of(waiting).payload == "\"made-it\"");
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
