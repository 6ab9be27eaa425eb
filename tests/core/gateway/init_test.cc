// Environments that do not come up: the caller learns why, and the next call tries again.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

BOOST_FIXTURE_TEST_SUITE(init, GatewayFixture)

BOOST_AUTO_TEST_CASE(a_slow_init_delays_the_first_call_only) {
  create("hello", "init-sleep=150;echo");
  const InvokeResult cold = gateway.invoke({.function = "hello", .payload = "1"});
  BOOST_TEST(cold.payload == "1");
  BOOST_TEST((cold.report.init_duration >= 150ms));
  BOOST_TEST(gateway.invoke({.function = "hello"}).report.init_duration.count() == 0);
}

BOOST_AUTO_TEST_CASE(a_failing_init_answers_with_its_document_and_is_tried_again) {
  Gate gate;
  create("hello", "init-closed=" + gate.name() + ",Runtime.ImportModuleError;text=up");
  for (int i = 0; i < 3; ++i) {
    const InvokeResult result = gateway.invoke({.function = "hello"});
    BOOST_TEST(result.status_code == 200);
    BOOST_TEST(result.function_error == "Unhandled");
    BOOST_TEST(document(result)["errorType"] == "Runtime.ImportModuleError");
    BOOST_TEST(document(result)["errorMessage"] == "scripted failure");
    BOOST_TEST(await([&] { return host().environments() == 0; }));
  }
  gate.open();
  BOOST_TEST(gateway.invoke({.function = "hello"}).payload == "\"up\"");
}

BOOST_AUTO_TEST_CASE(every_call_that_waited_for_a_failing_init_is_answered) {
  Gate gate;
  Gate never;
  create("hello", "init-wait=" + gate.name() + ";init-closed=" + never.name() + ",Broken;echo");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(start("hello"));
  BOOST_TEST(await([&] { return gate.waiting() > 0; }));
  BOOST_TEST(gateway.status().opening > 0);
  gate.open();
  for (auto& call : calls) BOOST_TEST(document(result_of(call))["errorType"] == "Broken");
  BOOST_TEST(gateway.status().in_flight == 0);
  BOOST_TEST(await([&] { return gateway.status().opening == 0; }));
}

BOOST_AUTO_TEST_CASE(an_init_that_ends_its_process_is_an_exit_error) {
  create("zero", "init-exit=0;echo");
  create("three", "init-exit=3;echo");
  const InvokeResult zero = gateway.invoke({.function = "zero"});
  BOOST_TEST(document(zero)["errorType"] == "Runtime.ExitError");
  BOOST_TEST(document(zero)["errorMessage"] ==
             "RequestId: " + zero.request_id + " Error: Runtime exited without providing a reason");
  const InvokeResult three = gateway.invoke({.function = "three"});
  BOOST_TEST(document(three)["errorMessage"] ==
             "RequestId: " + three.request_id + " Error: Runtime exited with error: exit status 3");
  BOOST_TEST(three.function_error == "Unhandled");
}

BOOST_AUTO_TEST_CASE(an_environment_that_cannot_even_be_begun_is_an_error_in_words) {
  create("hello", "open-fail=no-interpreter-here");
  bool told = false;
  try {
    const InvokeResult result = gateway.invoke({.function = "hello"});
    told = result.payload.find("no-interpreter-here") != std::string::npos;
  } catch (const Error& error) {
    told = error.message().find("no-interpreter-here") != std::string::npos;
  }
  BOOST_TEST(told);
  BOOST_TEST(gateway.status().in_flight == 0);
  BOOST_TEST(gateway.status().opening == 0);
}

BOOST_AUTO_TEST_CASE(what_init_prints_is_logged) {
  create("hello", "init-print=loading;echo");
  gateway.invoke({.function = "hello"});
  const std::string text = log->text("hello");
  BOOST_TEST(text.find("INIT_START Runtime Version: ") != std::string::npos);
  BOOST_TEST(text.find("loading\n") != std::string::npos);
  BOOST_TEST(text.find("INIT_START") < text.find("loading\n"));
}

BOOST_AUTO_TEST_CASE(a_provisioned_environment_that_fails_to_open_does_not_spin) {
  create("hello", "init-fail=Broken;echo");
  gateway.publish_version({.name = "hello"});
  const long opened = host().opened();
  gateway.put_provisioned_concurrency("hello", "1", 1);
  BOOST_TEST(await([&] { return host().opened() > opened; }));
  // Other calls are served meanwhile; the broken one is tried now and then, not in a loop.
  create("other", "echo");
  const auto until = std::chrono::steady_clock::now() + 200ms;
  while (std::chrono::steady_clock::now() < until) BOOST_REQUIRE(gateway.invoke({.function = "other"}).ok());
  BOOST_TEST(host().opened() - opened < 50);
}

BOOST_AUTO_TEST_SUITE_END()

struct ShortInit : ScriptedFixture {
  static GatewayOptions impatient(GatewayOptions options) {
    options.quotas.init_timeout = 200ms;
    options.interrupt_grace = 100ms;
    options.close_grace = 200ms;
    return options;
  }
  Gateway gateway{impatient(options())};
};

BOOST_FIXTURE_TEST_SUITE(init_timeout, ShortInit)

BOOST_AUTO_TEST_CASE(an_init_that_hangs_is_stopped_and_answered) {
  CreateFunctionRequest request = function("hello", "init-sleep=60000;echo");
  request.timeout_s = 1;
  gateway.create_function(request);
  const auto begin = std::chrono::steady_clock::now();
  const InvokeResult result = gateway.invoke({.function = "hello"});
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 5s));
  BOOST_TEST(result.status_code == 200);
  BOOST_TEST(result.function_error == "Unhandled");
  BOOST_TEST(document(result)["errorType"] == "Sandbox.Timedout");
  // The limit that was passed, and not the function's own, which would send its owner looking in the handler.
  BOOST_TEST(document(result)["errorMessage"] ==
             "RequestId: " + result.request_id +
                 " Error: Task timed out after 0.20 seconds in its init phase");
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

// A worker is killed: nothing of it is left to be abandoned.
BOOST_AUTO_TEST_CASE(an_init_that_cannot_be_interrupted_is_abandoned,
                     *boost::unit_test::label("in_process")) {
  Gate gate;
  CreateFunctionRequest request = function("hello", "init-gate=" + gate.name() + ";echo");
  request.timeout_s = 1;
  gateway.create_function(request);
  const InvokeResult result = gateway.invoke({.function = "hello"});
  BOOST_TEST(document(result)["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(await([&] { return gateway.status().abandoned >= 1; }));
  gate.open();
  BOOST_TEST(await([&] { return gateway.status().abandoned == 0; }));
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
