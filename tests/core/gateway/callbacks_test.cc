// The callback and the future form of invoke.
#include <mutex>
#include <set>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

BOOST_FIXTURE_TEST_SUITE(callbacks, GatewayFixture)

BOOST_AUTO_TEST_CASE(a_callback_gets_the_result_once_on_the_loop_s_thread) {
  create("hello", "echo");
  std::mutex mutex;  // guards threads
  std::set<std::thread::id> threads;
  std::atomic<int> answered{0};
  constexpr int kCalls = 500;
  std::vector<std::atomic<int>> times(kCalls);
  for (int i = 0; i < kCalls; ++i) {
    gateway.invoke({.function = "hello", .payload = std::to_string(i)}, [&, i](InvokeResult result) {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
      if (result.ok() && result.payload == std::to_string(i)) ++times[static_cast<std::size_t>(i)];
      ++answered;
    });
  }
  BOOST_TEST(await([&] { return answered >= kCalls; }));
  gateway.close();
  BOOST_TEST(answered == kCalls);
  for (const std::atomic<int>& count : times) BOOST_REQUIRE(count == 1);
  BOOST_TEST(threads.size() == 1u);
  BOOST_TEST(!threads.contains(std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(errors_reach_the_callback_and_are_not_thrown) {
  create("hello", "echo");
  std::promise<InvokeResult> not_found;
  std::promise<InvokeResult> not_json;
  gateway.invoke({.function = "absent"},
                 [&](InvokeResult result) { not_found.set_value(std::move(result)); });
  gateway.invoke({.function = "hello", .payload = "{"},
                 [&](InvokeResult result) { not_json.set_value(std::move(result)); });
  const InvokeResult first = result_of(not_found.get_future());
  BOOST_REQUIRE(first.error.has_value());
  BOOST_TEST(std::string(first.error->name()) == "ResourceNotFoundException");
  BOOST_TEST(first.status_code == 404);
  BOOST_TEST(!first.ok());
  const InvokeResult second = result_of(not_json.get_future());
  BOOST_REQUIRE(second.error.has_value());
  BOOST_TEST(second.status_code == 400);
}

BOOST_AUTO_TEST_CASE(a_callback_returns_before_the_handler_has_run) {
  create("hello", "echo");
  Gate gate;
  std::promise<InvokeResult> answer;
  gateway.invoke({.function = "hello", .payload = do_script("wait=" + gate.name() + ";text=later")},
                 [&](InvokeResult result) { answer.set_value(std::move(result)); });
  BOOST_TEST(gate.await_waiting(1));
  gate.open();
  BOOST_TEST(result_of(answer.get_future()).payload == "\"later\"");
}

BOOST_AUTO_TEST_CASE(a_callback_may_invoke_again) {
  create("hello", "echo");
  std::promise<int> finished;
  int rounds = 0;
  std::function<void(InvokeResult)> next = [&](InvokeResult result) {
    if (!result.ok() || ++rounds == 2000) {
      finished.set_value(rounds);
      return;
    }
    gateway.invoke({.function = "hello", .payload = std::to_string(rounds)}, next);
  };
  gateway.invoke({.function = "hello"}, next);
  auto future = finished.get_future();
  BOOST_REQUIRE((future.wait_for(kPatience) == std::future_status::ready));
  BOOST_TEST(future.get() == 2000);
}

BOOST_AUTO_TEST_CASE(a_callback_that_fails_at_once_may_invoke_again_without_end_of_stack) {
  create("hello", "echo");
  std::promise<int> finished;
  int rounds = 0;
  std::function<void(InvokeResult)> next = [&](InvokeResult) {
    if (++rounds == 50'000) {
      finished.set_value(rounds);
      return;
    }
    gateway.invoke({.function = "absent"}, next);
  };
  gateway.invoke({.function = "absent"}, next);
  auto future = finished.get_future();
  BOOST_REQUIRE((future.wait_for(kPatience) == std::future_status::ready));
}

BOOST_AUTO_TEST_CASE(a_callback_may_use_the_rest_of_the_gateway) {
  create("hello", "echo");
  std::promise<void> finished;
  gateway.invoke({.function = "hello"}, [&](InvokeResult) {
    gateway.status();
    gateway.usage("hello");
    gateway.create_function(function("made-by-callback", "echo"));
    gateway.update_function_configuration({.name = "hello", .description = "seen"});
    gateway.delete_function("made-by-callback");
    finished.set_value();
  });
  BOOST_REQUIRE((finished.get_future().wait_for(kPatience) == std::future_status::ready));
  BOOST_TEST(gateway.get_function_configuration("hello").description == "seen");
}

BOOST_AUTO_TEST_CASE(futures_carry_results_and_throw_invocation_errors) {
  create("hello", "echo");
  auto good = gateway.invoke_future({.function = "hello", .payload = "[1]"});
  BOOST_TEST(result_of(good).payload == "[1]");
  auto failed = gateway.invoke_future({.function = "hello", .payload = do_script("fail=E")});
  BOOST_TEST(result_of(failed).function_error == "Unhandled");
  auto bad = gateway.invoke_future({.function = "absent"});
  BOOST_REQUIRE((bad.wait_for(kPatience) == std::future_status::ready));
  BOOST_CHECK_THROW(bad.get(), Error);
}

BOOST_AUTO_TEST_CASE(dry_runs_work_in_every_form) {
  create("hello", "echo");
  std::promise<InvokeResult> answer;
  gateway.invoke({.function = "hello", .type = InvocationType::kDryRun},
                 [&](InvokeResult result) { answer.set_value(std::move(result)); });
  BOOST_TEST(result_of(answer.get_future()).status_code == 204);
  auto future = gateway.invoke_future({.function = "hello", .type = InvocationType::kDryRun});
  BOOST_TEST(result_of(future).status_code == 204);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
