// What comes back: answers, error documents, lost processes, and completions that are not in order.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

struct OutcomesFixture : GatewayFixture {
  OutcomesFixture() { create("hello", "echo"); }
  InvokeResult run(const std::string& script) {
    return gateway.invoke({.function = "hello", .payload = do_script(script)});
  }
  void check_document(const InvokeResult& result, const std::string& type, const std::string& message) {
    BOOST_TEST(result.status_code == 200);
    BOOST_TEST(result.function_error == "Unhandled");
    BOOST_TEST(!result.ok());
    const json seen = document(result);
    BOOST_TEST(seen.value("errorType", "") == type);
    BOOST_TEST(seen.value("errorMessage", "") == message);
    BOOST_TEST(seen.size() == 2u);
  }
};

BOOST_FIXTURE_TEST_SUITE(outcomes, OutcomesFixture)

BOOST_AUTO_TEST_CASE(a_result_tells_where_it_ran_and_what_it_cost) {
  const InvokeResult cold = run("memory=48;text=hi");
  BOOST_TEST(cold.payload == "\"hi\"");
  BOOST_TEST(cold.status_code == 200);
  BOOST_TEST(cold.function_error == "");
  BOOST_TEST(cold.executed_version == "$LATEST");
  BOOST_TEST(cold.report.memory_size_mb == 128);
  BOOST_TEST(cold.report.max_memory_used_mb == 48);
  BOOST_TEST(cold.report.duration.count() > 0);
  BOOST_TEST(cold.report.init_duration.count() > 0);
  BOOST_TEST(cold.report.billed_duration.count() % 100 == 0);
  BOOST_TEST(cold.report.billed_duration.count() >= 100);
  const InvokeResult warm = run("sleep=20;text=hi");
  BOOST_TEST(warm.report.init_duration.count() == 0);
  BOOST_TEST((warm.report.duration >= 20ms));
}

BOOST_AUTO_TEST_CASE(an_error_document_of_the_runtime_comes_back_unchanged) {
  const InvokeResult result = run("fail=ValueError");
  BOOST_TEST(result.status_code == 200);
  BOOST_TEST(result.function_error == "Unhandled");
  const json expected = {{"errorMessage", "scripted failure"},
                         {"errorType", "ValueError"},
                         {"requestId", result.request_id},
                         {"stackTrace", json::array()}};
  BOOST_TEST(document(result) == expected);
  BOOST_TEST(gateway.usage("hello").errors == 1u);
  BOOST_TEST(gateway.usage("hello").requests == 1u);
}

BOOST_AUTO_TEST_CASE(a_handler_that_ends_its_process_gets_the_document_of_its_end) {
  const InvokeResult by_status = run("exit=127");
  check_document(by_status, "Runtime.ExitError",
                 "RequestId: " + by_status.request_id + " Error: Runtime exited with error: exit status 127");
  const InvokeResult by_zero = run("exit=0");
  check_document(by_zero, "Runtime.ExitError",
                 "RequestId: " + by_zero.request_id + " Error: Runtime exited without providing a reason");
  const InvokeResult by_signal = run("signal=9");
  check_document(by_signal, "Runtime.ExitError",
                 "RequestId: " + by_signal.request_id + " Error: Runtime exited with error: signal: killed");
  const InvokeResult by_fault = run("signal=11");
  check_document(
      by_fault, "Runtime.ExitError",
      "RequestId: " + by_fault.request_id + " Error: Runtime exited with error: signal: segmentation fault");
}

BOOST_AUTO_TEST_CASE(running_out_of_memory_is_answered_as_lambda_does) {
  const InvokeResult result = run("oom");
  check_document(result, "Runtime.ExitError",
                 "RequestId: " + result.request_id + " Error: Runtime exited with error: signal: killed");
}

BOOST_AUTO_TEST_CASE(a_refusal_of_the_host_reaches_the_caller_in_words) {
  bool told = false;
  try {
    told = run("refuse=helper.rb clashes").payload.find("helper.rb clashes") != std::string::npos;
  } catch (const Error& error) {
    told = error.message().find("helper.rb clashes") != std::string::npos;
  }
  BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(a_binary_answer_is_passed_on_unchanged_and_marked) {
  const InvokeResult result = run("raw=not json at all");
  BOOST_TEST(result.payload == "not json at all");
  BOOST_TEST(result.binary);
  BOOST_TEST(!run("text=x").binary);
}

BOOST_AUTO_TEST_CASE(a_response_of_the_greatest_size_passes_and_one_byte_more_does_not) {
  const InvokeResult fits = run("bytes=6291556");
  BOOST_TEST(fits.ok());
  BOOST_TEST(fits.payload.size() == 6'291'556u);
  const json before = document(run("stamp"));
  const InvokeResult result = run("bytes=6291557");
  check_document(result, "Function.ResponseSizeTooLarge",
                 "Response payload size exceeded maximum allowed payload size (6291556 bytes).");
  BOOST_TEST(document(run("stamp"))["environment"] == before["environment"]);
}

BOOST_AUTO_TEST_CASE(a_completion_that_comes_twice_counts_once) {
  const std::uint64_t late = gateway.status().late_completions;
  BOOST_TEST(run("twice;text=once").payload == "\"once\"");
  // A worker keeps the second one to itself.
  const std::uint64_t counted = tested_isolation() == Isolation::kInProcess ? 1 : 0;
  BOOST_TEST(await([&] { return gateway.status().late_completions == late + counted; }));
  BOOST_TEST(run("text=next").payload == "\"next\"");
  BOOST_TEST(gateway.usage("hello").requests == 2u);
}

BOOST_AUTO_TEST_CASE(a_completion_for_a_token_never_given_answers_nobody) {
  BOOST_TEST(run("stranger;text=mine").payload == "\"mine\"");
  BOOST_TEST(run("text=next").payload == "\"next\"");
}

BOOST_AUTO_TEST_CASE(a_completion_may_come_from_another_thread) {
  for (int i = 0; i < 50; ++i) BOOST_REQUIRE(run("elsewhere;text=there").payload == "\"there\"");
  BOOST_TEST(host().environments() == 1);
}

BOOST_AUTO_TEST_CASE(usage_counts_requests_errors_and_gigabyte_milliseconds) {
  run("text=a");
  run("fail=E");
  run("sleep=150");
  const FunctionUsage usage = gateway.usage("hello");
  BOOST_TEST(usage.requests == 3u);
  BOOST_TEST(usage.errors == 1u);
  BOOST_TEST(usage.timeouts == 0u);
  BOOST_TEST(usage.cold_starts == 1u);
  // Steps of 100 ms at 128 MB: 1 + 1 + 2 of them, if the machine is not slower than that.
  BOOST_TEST(usage.gb_milliseconds_x1024 % (100 * 128) == 0u);
  BOOST_TEST(usage.gb_milliseconds_x1024 >= 4u * 100 * 128);
  BOOST_TEST(std::string(error_of([&] { gateway.usage("absent"); }).name()) == "ResourceNotFoundException");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(current_quotas_bill_by_the_millisecond, ScriptedFixture) {
  GatewayOptions with_quotas = options();
  with_quotas.quotas = Quotas::current();
  Gateway gateway(with_quotas);
  gateway.create_function(function("hello", "echo"));
  gateway.invoke({.function = "hello"});
  const InvokeResult result = gateway.invoke({.function = "hello", .payload = do_script("sleep=30")});
  const auto duration = result.report.duration;
  BOOST_TEST((result.report.billed_duration >= duration));
  BOOST_TEST((result.report.billed_duration - duration < 1ms));
  BOOST_TEST((result.report.billed_duration >= 30ms));
}

BOOST_FIXTURE_TEST_CASE(classic_quotas_bill_by_100_milliseconds, ScriptedFixture) {
  Gateway gateway(options());
  gateway.create_function(function("hello", "echo"));
  gateway.invoke({.function = "hello"});
  const InvokeResult result = gateway.invoke({.function = "hello", .payload = do_script("sleep=130")});
  BOOST_TEST(result.report.billed_duration.count() % 100 == 0);
  BOOST_TEST((result.report.billed_duration - result.report.duration < 100ms));
  BOOST_TEST((result.report.billed_duration >= 200ms));
}

}  // namespace
}  // namespace lambed::testing
