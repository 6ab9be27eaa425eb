// When environments are opened, reused, kept and closed.
#include <set>

#include "core/gateway/scripted.h"
#include "invocation/opener.h"

namespace lambed::testing {
namespace {

long environment_of(const InvokeResult& result) { return document(result)["environment"].get<long>(); }

BOOST_FIXTURE_TEST_SUITE(environments, GatewayFixture)

BOOST_AUTO_TEST_CASE(calls_one_after_the_other_share_one_environment) {
  create("hello", "stamp");
  const long opened = host().opened();
  const long first = environment_of(gateway.invoke({.function = "hello"}));
  for (int i = 0; i < 20; ++i) BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) == first);
  BOOST_TEST(host().opened() == opened + 1);
  BOOST_TEST(gateway.usage("hello").cold_starts == 1u);
}

BOOST_AUTO_TEST_CASE(calls_at_the_same_time_get_an_environment_each) {
  create("hello", "stamp");
  Gate gate;
  std::vector<std::future<InvokeResult>> held;
  for (int i = 0; i < 5; ++i) held.push_back(start("hello", do_script("wait=" + gate.name() + ";stamp")));
  BOOST_TEST(gate.await_waiting(5));
  BOOST_TEST(gateway.status().busy == 5);
  BOOST_TEST(gateway.status().in_flight == 5);
  gate.open();
  std::set<long> used;
  for (auto& future : held) used.insert(environment_of(result_of(future)));
  BOOST_TEST(used.size() == 5u);
  BOOST_TEST(await([&] { return gateway.status().idle == 5; }));
}

// Dozens of inits at once hold each other up, and most of what was asked for in a burst is needed no more when the first are open.
BOOST_AUTO_TEST_CASE(a_burst_of_short_calls_opens_a_few_environments_only) {
  constexpr int kCalls = 60;
  Gate init;
  create("hello", "init-wait=" + init.name() + ";stamp");
  const long opened = host().opened();
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < kCalls; ++i) calls.push_back(start("hello"));
  BOOST_TEST(await([&] { return init.waiting() >= 2; }));
  init.open();
  for (auto& call : calls) BOOST_TEST(result_of(call).ok());
  BOOST_TEST(host().opened() - opened < kCalls);
  BOOST_TEST(await([&] { return gateway.status().opening == 0; }));
}

BOOST_AUTO_TEST_CASE(an_init_that_takes_long_does_not_hold_up_others_for_long) {
  const int sleepers = 2 * std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  Gate init;
  create("slow", "init-wait=" + init.name() + ";stamp");
  create("quick", "stamp");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < sleepers; ++i) calls.push_back(start("slow"));
  BOOST_TEST(init.await_waiting(sleepers));
  BOOST_TEST(gateway.invoke({.function = "quick"}).ok());
  init.open();
  for (auto& call : calls) BOOST_TEST(result_of(call).ok());
}

// What keeps the processors busy may be the inits themselves: more of them would make all of them slower.
BOOST_AUTO_TEST_CASE(an_init_keeps_its_turn_longer_while_the_processors_are_busy) {
  const auto begin = std::chrono::steady_clock::now();
  const auto all_processors = [begin] {
    return (std::chrono::steady_clock::now() - begin) * static_cast<int>(std::thread::hardware_concurrency());
  };
  invocation::Opener opener(all_processors);
  const int kind = 0;
  std::shared_ptr<void> first;
  std::promise<std::chrono::steady_clock::time_point> second;
  BOOST_TEST(opener.post_in_turn(&kind, 1, [&](std::shared_ptr<void> turn) { first = std::move(turn); }));
  BOOST_TEST(opener.post_in_turn(
      &kind, 1, [&](const std::shared_ptr<void>&) { second.set_value(std::chrono::steady_clock::now()); }));
  // It may be one that sleeps, and somebody else who keeps them busy.
  BOOST_TEST((second.get_future().get() - begin >= 1s));
  opener.stop();
}

BOOST_AUTO_TEST_CASE(the_environment_that_worked_last_is_used_first) {
  create("hello", "stamp");
  Gate first_gate;
  Gate second_gate;
  auto first = start("hello", do_script("wait=" + first_gate.name() + ";stamp"));
  BOOST_TEST(first_gate.await_waiting(1));
  auto second = start("hello", do_script("wait=" + second_gate.name() + ";stamp"));
  BOOST_TEST(second_gate.await_waiting(1));
  second_gate.open();
  result_of(second);
  BOOST_TEST(await([&] { return host().resting() == 1; }));
  first_gate.open();
  const long newest = environment_of(result_of(first));
  BOOST_TEST(await([&] { return host().resting() == 2; }));
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) == newest);
  }
}

BOOST_AUTO_TEST_CASE(functions_never_share_an_environment) {
  create("a", "identify");
  create("b", "identify");
  BOOST_TEST(document(gateway.invoke({.function = "a"}))["function"] == "a");
  BOOST_TEST(document(gateway.invoke({.function = "b"}))["function"] == "b");
  BOOST_TEST(host().environments() == 2);
}

BOOST_AUTO_TEST_CASE(an_environment_that_asks_to_be_discarded_is_replaced) {
  create("hello", "stamp");
  const long first =
      environment_of(gateway.invoke({.function = "hello", .payload = do_script("discard;stamp")}));
  const long second = environment_of(gateway.invoke({.function = "hello"}));
  BOOST_TEST(second != first);
  BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) == second);
  BOOST_TEST(await([&] { return host().environments() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_function_error_keeps_the_environment_and_a_lost_process_does_not) {
  create("hello", "stamp");
  const long first = environment_of(gateway.invoke({.function = "hello"}));
  gateway.invoke({.function = "hello", .payload = do_script("fail=ValueError")});
  BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) == first);
  long last = first;
  for (const std::string script : {"exit=1", "exit=0", "signal=11", "oom"}) {
    BOOST_TEST_CONTEXT(script) {
      gateway.invoke({.function = "hello", .payload = do_script(script)});
      const long next = environment_of(gateway.invoke({.function = "hello"}));
      BOOST_TEST(next != last);
      last = next;
    }
  }
  BOOST_TEST(await([&] { return host().environments() == 1; }));
}

BOOST_AUTO_TEST_CASE(provisioned_environments_are_open_before_the_first_call) {
  create("hello", "stamp");
  gateway.publish_version({.name = "hello"});
  gateway.put_provisioned_concurrency("hello", "1", 3);
  BOOST_TEST(await([&] { return gateway.status().idle == 3; }));
  BOOST_TEST(host().environments() == 3);
  const InvokeResult result = gateway.invoke({.function = "hello", .qualifier = "1"});
  BOOST_TEST(result.report.init_duration.count() == 0);
  BOOST_TEST(host().environments() == 3);
}

BOOST_AUTO_TEST_CASE(a_provisioned_environment_that_is_lost_is_replaced) {
  create("hello", "stamp");
  gateway.publish_version({.name = "hello"});
  gateway.put_provisioned_concurrency("hello", "1", 2);
  BOOST_TEST(await([&] { return gateway.status().idle == 2; }));
  const long opened = host().opened();
  gateway.invoke({.function = "hello", .payload = do_script("exit=1"), .qualifier = "1"});
  BOOST_TEST(await([&] { return host().opened() == opened + 1 && gateway.status().idle == 2; }));
  BOOST_TEST(await([&] { return host().environments() == 2; }));
}

BOOST_AUTO_TEST_CASE(provisioned_environments_of_an_alias_follow_it) {
  create("hello", "stamp");
  gateway.publish_version({.name = "hello"});
  gateway.update_function_configuration({.name = "hello", .description = "second"});
  gateway.publish_version({.name = "hello"});
  gateway.create_alias({.function = "hello", .alias = "live", .version = "1"});
  gateway.put_provisioned_concurrency("hello", "live", 1);
  BOOST_TEST(await([&] { return gateway.status().idle == 1; }));
  gateway.update_alias({.function = "hello", .alias = "live", .version = "2"});
  const auto is_warm = [&] {
    return gateway.status().idle >= 1 && gateway.status().opening == 0 &&
           gateway.invoke({.function = "hello", .qualifier = "2"}).report.init_duration.count() == 0;
  };
  BOOST_TEST(await(is_warm));
}

BOOST_AUTO_TEST_CASE(environments_of_a_deleted_function_are_closed) {
  create("hello", "stamp");
  gateway.invoke({.function = "hello"});
  BOOST_TEST(host().environments() == 1);
  gateway.delete_function("hello");
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(environments_of_older_code_are_closed_after_an_update) {
  create("hello", "stamp");
  gateway.invoke({.function = "hello"});
  gateway.update_function_configuration({.name = "hello", .timeout_s = 7});
  gateway.invoke({.function = "hello"});
  BOOST_TEST(await([&] { return host().environments() == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(idle_expiry, ScriptedFixture)

BOOST_AUTO_TEST_CASE(an_environment_without_work_is_closed_and_the_next_call_opens_another) {
  GatewayOptions with_expiry = options();
  with_expiry.idle_expiry = 50ms;
  Gateway gateway(with_expiry);
  gateway.create_function(function("hello", "stamp"));
  const long first = environment_of(gateway.invoke({.function = "hello"}));
  BOOST_TEST(await([&] { return host().environments() == 0; }));
  BOOST_TEST(gateway.status().idle == 0);
  const InvokeResult result = gateway.invoke({.function = "hello"});
  BOOST_TEST(environment_of(result) != first);
  BOOST_TEST(result.report.init_duration.count() > 0);
}

BOOST_AUTO_TEST_CASE(a_long_call_does_not_count_as_idle) {
  GatewayOptions with_expiry = options();
  with_expiry.idle_expiry = 20ms;
  Gateway gateway(with_expiry);
  gateway.create_function(function("hello", "stamp"));
  BOOST_TEST(gateway.invoke({.function = "hello", .payload = do_script("sleep=200;text=done")}).payload ==
             "\"done\"");
}

BOOST_AUTO_TEST_CASE(provisioned_environments_do_not_expire) {
  GatewayOptions with_expiry = options();
  with_expiry.idle_expiry = 20ms;
  Gateway gateway(with_expiry);
  gateway.create_function(function("kept", "stamp"));
  gateway.create_function(function("passing", "stamp"));
  gateway.publish_version({.name = "kept"});
  gateway.put_provisioned_concurrency("kept", "1", 2);
  BOOST_TEST(await([&] { return gateway.status().idle == 2; }));
  const long opened = host().opened();
  // An environment of another function comes and goes meanwhile: time for an expiry has passed.
  for (int i = 0; i < 3; ++i) {
    gateway.invoke({.function = "passing"});
    BOOST_TEST(await([&] { return host().environments() == 2; }));
  }
  BOOST_TEST(host().opened() == opened + 3);
  BOOST_TEST(gateway.invoke({.function = "kept", .qualifier = "1"}).report.init_duration.count() == 0);
}

BOOST_AUTO_TEST_CASE(the_longest_idle_environment_makes_room_at_the_limit) {
  GatewayOptions limited = options();
  limited.max_environments = 2;
  Gateway gateway(limited);
  for (const char* const name : {"a", "b", "c"}) gateway.create_function(function(name, "stamp"));
  const long of_a = environment_of(gateway.invoke({.function = "a"}));
  const long of_b = environment_of(gateway.invoke({.function = "b"}));
  BOOST_TEST(gateway.invoke({.function = "c"}).ok());
  BOOST_TEST(environment_of(gateway.invoke({.function = "b"})) == of_b);
  BOOST_TEST(await([&] { return host().environments() <= 2; }));
  BOOST_TEST(environment_of(gateway.invoke({.function = "a"})) != of_a);
  BOOST_TEST(await([&] { return host().environments() <= 2; }));
}

BOOST_AUTO_TEST_CASE(calls_beyond_the_limit_of_environments_are_answered_and_idle_ones_make_room) {
  GatewayOptions limited = options();
  limited.max_environments = 1;
  Gateway gateway(limited);
  gateway.create_function(function("a", "stamp"));
  gateway.create_function(function("b", "stamp"));
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(gateway.invoke_future({.function = i % 2 == 0 ? "a" : "b"}));
  for (auto& call : calls) BOOST_TEST(result_of(call).ok());
  BOOST_TEST(await([&] { return host().environments() <= 1; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
