// Account and reserved concurrency: who is let in, who is told to come again.
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

constexpr const char* kReservedReason = "ReservedFunctionConcurrentInvocationLimitExceeded";
constexpr const char* kAccountReason = "ConcurrentInvocationLimitExceeded";

void check_throttled(const Error& error, const std::string& reason) {
  BOOST_TEST(std::string(error.name()) == "TooManyRequestsException");
  BOOST_TEST(error.http_status() == 429);
  BOOST_TEST(error.message() == "Rate Exceeded.");
  BOOST_TEST(error.reason() == reason);
}

BOOST_FIXTURE_TEST_SUITE(reserved_concurrency, GatewayFixture)

BOOST_AUTO_TEST_CASE(zero_blocks_every_invocation) {
  create("hello", "echo");
  gateway.put_function_concurrency("hello", 0);
  check_throttled(error_of([&] { gateway.invoke({.function = "hello"}); }), kReservedReason);
  BOOST_TEST(host().environments() == 0);
  gateway.delete_function_concurrency("hello");
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  const FunctionUsage usage = gateway.usage("hello");
  BOOST_TEST(usage.throttles == 1u);
  BOOST_TEST(usage.requests == 1u);
}

BOOST_AUTO_TEST_CASE(n_let_n_in_and_an_answer_makes_room_for_the_next) {
  create("hello", "echo");
  for (const int n : {1, 3}) {
    BOOST_TEST_CONTEXT("reserved " << n) {
      Gate gate;
      gateway.put_function_concurrency("hello", n);
      std::vector<std::future<InvokeResult>> held;
      for (int i = 0; i < n; ++i) held.push_back(start("hello", do_script("wait=" + gate.name())));
      BOOST_TEST(gate.await_waiting(n));
      check_throttled(error_of([&] { gateway.invoke({.function = "hello"}); }), kReservedReason);
      BOOST_TEST(gateway.status().in_flight == n);
      gate.open();
      for (auto& future : held) BOOST_TEST(result_of(future).ok());
      BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
    }
  }
  BOOST_TEST(gateway.get_function_concurrency("hello").value() == 3);
}

BOOST_AUTO_TEST_CASE(it_counts_all_versions_of_the_function_together) {
  create("hello", "echo");
  gateway.publish_version({.name = "hello"});
  gateway.put_function_concurrency("hello", 1);
  Gate gate;
  auto held = gateway.invoke_future(
      {.function = "hello", .payload = do_script("wait=" + gate.name()), .qualifier = "1"});
  BOOST_TEST(gate.await_waiting(1));
  check_throttled(error_of([&] { gateway.invoke({.function = "hello"}); }), kReservedReason);
  gate.open();
  BOOST_TEST(result_of(held).ok());
}

BOOST_AUTO_TEST_CASE(a_lower_limit_holds_for_the_next_call_and_leaves_running_ones_alone) {
  create("hello", "echo");
  Gate gate;
  auto first = start("hello", do_script("wait=" + gate.name()));
  auto second = start("hello", do_script("wait=" + gate.name()));
  BOOST_TEST(gate.await_waiting(2));
  gateway.put_function_concurrency("hello", 1);
  check_throttled(error_of([&] { gateway.invoke({.function = "hello"}); }), kReservedReason);
  gate.open();
  BOOST_TEST(result_of(first).ok());
  BOOST_TEST(result_of(second).ok());
  BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
}

BOOST_AUTO_TEST_CASE(a_failed_or_timed_out_call_gives_its_place_back) {
  CreateFunctionRequest request = function("hello", "echo");
  request.timeout_s = 1;
  gateway.create_function(request);
  gateway.put_function_concurrency("hello", 1);
  for (const std::string script : {"fail=Error", "exit=1", "oom", "sleep=60000", "refuse=no"}) {
    gateway.invoke({.function = "hello", .payload = do_script(script)});
    BOOST_TEST(gateway.invoke({.function = "hello"}).ok());
  }
}

BOOST_AUTO_TEST_CASE(at_least_100_of_the_account_stay_unreserved) {
  create("a", "echo");
  create("b", "echo");
  gateway.put_function_concurrency("a", 900);
  check_error(
      error_of([&] { gateway.put_function_concurrency("b", 1); }), ErrorCode::InvalidParameterValueException,
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
      "below its minimum value of [100].");
  BOOST_TEST(!gateway.get_function_concurrency("b").has_value());
  gateway.put_function_concurrency("a", 899);
  gateway.put_function_concurrency("b", 1);
  BOOST_TEST(gateway.get_function_concurrency("b").value() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

struct SmallAccount : ScriptedFixture {
  static GatewayOptions small(GatewayOptions options) {
    options.quotas.account_concurrency = 4;
    options.quotas.unreserved_concurrency_min = 2;
    return options;
  }
  Gateway gateway{small(options())};

  std::vector<std::future<InvokeResult>> hold(const std::string& name, const Gate& gate, int calls) {
    std::vector<std::future<InvokeResult>> held;
    for (int i = 0; i < calls; ++i) {
      held.push_back(gateway.invoke_future({.function = name, .payload = do_script("wait=" + gate.name())}));
    }
    return held;
  }
};

BOOST_FIXTURE_TEST_SUITE(account_concurrency, SmallAccount)

BOOST_AUTO_TEST_CASE(the_account_s_limit_holds_over_all_functions) {
  gateway.create_function(function("a", "echo"));
  gateway.create_function(function("b", "echo"));
  Gate gate;
  auto first = hold("a", gate, 2);
  auto second = hold("b", gate, 2);
  BOOST_TEST(gate.await_waiting(4));
  check_throttled(error_of([&] { gateway.invoke({.function = "a"}); }), kAccountReason);
  check_throttled(error_of([&] { gateway.invoke({.function = "b"}); }), kAccountReason);
  gate.open();
  for (auto& future : first) BOOST_TEST(result_of(future).ok());
  for (auto& future : second) BOOST_TEST(result_of(future).ok());
  BOOST_TEST(gateway.invoke({.function = "a"}).ok());
}

BOOST_AUTO_TEST_CASE(a_reservation_is_kept_free_for_its_function_and_taken_from_the_others) {
  gateway.create_function(function("reserved", "echo"));
  gateway.create_function(function("other", "echo"));
  gateway.put_function_concurrency("reserved", 2);
  Gate gate;
  auto others = hold("other", gate, 2);
  BOOST_TEST(gate.await_waiting(2));
  check_throttled(error_of([&] { gateway.invoke({.function = "other"}); }), kAccountReason);
  BOOST_TEST(gateway.invoke({.function = "reserved"}).ok());
  auto reserved = hold("reserved", gate, 2);
  BOOST_TEST(gate.await_waiting(4));
  check_throttled(error_of([&] { gateway.invoke({.function = "reserved"}); }), kReservedReason);
  gate.open();
  for (auto& future : others) BOOST_TEST(result_of(future).ok());
  for (auto& future : reserved) BOOST_TEST(result_of(future).ok());
}

BOOST_AUTO_TEST_CASE(deleting_a_function_gives_its_reservation_back) {
  gateway.create_function(function("reserved", "echo"));
  gateway.create_function(function("other", "echo"));
  gateway.put_function_concurrency("reserved", 2);
  gateway.delete_function("reserved");
  Gate gate;
  auto others = hold("other", gate, 4);
  BOOST_TEST(gate.await_waiting(4));
  gate.open();
  for (auto& future : others) BOOST_TEST(result_of(future).ok());
  gateway.create_function(function("reserved", "echo"));
  BOOST_TEST(!gateway.get_function_concurrency("reserved").has_value());
}

BOOST_AUTO_TEST_CASE(many_threads_never_run_more_than_the_limit) {
  gateway.create_function(function("a", "echo"));
  gateway.put_function_concurrency("a", 2);
  std::atomic<int> answered{0};
  std::atomic<int> throttled{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        try {
          gateway.invoke({.function = "a"});
          ++answered;
        } catch (const Error& error) {
          if (error.code() == ErrorCode::TooManyRequestsException) ++throttled;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(answered + throttled == 1600);
  BOOST_TEST(answered > 0);
  BOOST_TEST(host().environments() <= 2);
  BOOST_TEST(gateway.usage("a").throttles == static_cast<std::uint64_t>(throttled.load()));
  BOOST_TEST(gateway.usage("a").requests == static_cast<std::uint64_t>(answered.load()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
