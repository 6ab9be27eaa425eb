// What takes minutes or hours, under a clock that the test moves: exact durations, deadlines, idle expiry.
#include "base/clock.h"
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

struct SimulatedFixture : ScriptedFixture {
  explicit SimulatedFixture(std::chrono::milliseconds max_lifetime = {})
      : gateway(with_clock(max_lifetime)) {}
  GatewayOptions with_clock(std::chrono::milliseconds max_lifetime) {
    GatewayOptions result = options();
    result.clock = clock;
    result.max_lifetime = max_lifetime;
    result.close_grace = 300ms;  // of real time
    return result;
  }
  void create(const std::string& name, const std::string& script, int timeout_s = 900) {
    CreateFunctionRequest request = function(name, script);
    request.timeout_s = timeout_s;
    gateway.create_function(request);
  }
  std::future<InvokeResult> start(const std::string& name, const std::string& script) {
    return gateway.invoke_future({.function = name, .payload = do_script(script)});
  }
  // Moves the clock on and lets the core loop look at it: what is due has happened when this returns.
  void advance(std::chrono::nanoseconds by) {
    clock->advance(by);
    std::promise<void> looked;
    gateway.invoke({.function = "no-such-function"}, [&](InvokeResult) { looked.set_value(); });
    looked.get_future().wait();
  }
  // An environment is idle a moment after its caller was answered; time must not pass in between.
  void await_idle(int count) {
    const auto all_rest = [&] { return gateway.status().idle == count && gateway.status().busy == 0; };
    BOOST_REQUIRE(await(all_rest));
  }

  std::shared_ptr<SimulatedClock> clock = std::make_shared<SimulatedClock>();
  Gateway gateway;
};

struct ShortLives : SimulatedFixture {
  ShortLives() : SimulatedFixture(2s) {}
};

BOOST_FIXTURE_TEST_SUITE(simulated_time, SimulatedFixture)

BOOST_AUTO_TEST_CASE(durations_and_bills_are_exact) {
  create("hello", "echo");
  gateway.invoke({.function = "hello"});
  log->clear();
  Gate gate;
  auto held = start("hello", "wait=" + gate.name() + ";text=done");
  BOOST_TEST(gate.await_waiting(1));
  advance(1234567us);
  gate.open();
  const InvokeResult result = result_of(held);
  BOOST_TEST((result.report.duration == 1234567us));
  BOOST_TEST((result.report.billed_duration == 1300ms));
  BOOST_TEST(log->text("hello").find("\tDuration: 1234.57 ms\tBilled Duration: 1300 ms\t") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(gigabyte_milliseconds_add_up) {
  create("hello", "echo");
  for (int i = 0; i < 3; ++i) {
    Gate gate;
    auto held = start("hello", "wait=" + gate.name());
    BOOST_TEST(gate.await_waiting(1));
    advance(450ms);
    gate.open();
    result_of(held);
  }
  BOOST_TEST(gateway.usage("hello").gb_milliseconds_x1024 == 3u * 500 * 128);
  BOOST_TEST(gateway.usage("hello").gb_seconds() == 3 * 0.5 * 128 / 1024, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(the_init_is_measured_apart_from_the_call) {
  Gate init;
  create("hello", "init-wait=" + init.name() + ";echo");
  auto held = start("hello", "text=done");
  BOOST_TEST(init.await_waiting(1));
  advance(2500ms);
  init.open();
  const InvokeResult result = result_of(held);
  BOOST_TEST((result.report.init_duration == 2500ms));
  BOOST_TEST((result.report.duration == 0ms));
  BOOST_TEST(log->text("hello").find("\tInit Duration: 2500.00 ms\t") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_limit_of_fifteen_minutes_is_kept_to_the_millisecond) {
  create("hello", "echo");
  Gate gate;
  auto held = start("hello", "wait=" + gate.name());
  BOOST_TEST(gate.await_waiting(1));
  advance(899'999ms);
  BOOST_TEST(gateway.status().in_flight == 1);
  BOOST_TEST((held.wait_for(0s) == std::future_status::timeout));
  advance(1ms);
  const InvokeResult result = result_of(held);
  BOOST_TEST(document(result)["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(document(result)["errorMessage"] ==
             "RequestId: " + result.request_id + " Error: Task timed out after 900.00 seconds");
  BOOST_TEST((result.report.billed_duration == 900s));
}

BOOST_AUTO_TEST_CASE(each_call_has_its_own_limit) {
  create("short", "echo", 5);
  create("long", "echo", 60);
  Gate gate;
  auto brief = start("short", "wait=" + gate.name());
  auto patient = start("long", "wait=" + gate.name() + ";text=done");
  BOOST_TEST(gate.await_waiting(2));
  advance(5s);
  BOOST_TEST(result_of(brief).function_error == "Unhandled");
  advance(54s);
  gate.open();
  BOOST_TEST(result_of(patient).payload == "\"done\"");
}

BOOST_AUTO_TEST_CASE(an_idle_environment_lives_ten_minutes_and_no_longer) {
  create("hello", "echo");
  gateway.invoke({.function = "hello"});
  await_idle(1);
  advance(599s);
  BOOST_TEST(gateway.status().idle == 1);
  advance(2s);
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_call_starts_the_idle_time_anew) {
  create("hello", "echo");
  gateway.invoke({.function = "hello"});
  await_idle(1);  // or the next call may meet it busy still, and open a second one
  for (int i = 0; i < 10; ++i) {
    advance(500s);
    BOOST_TEST(gateway.invoke({.function = "hello"}).report.init_duration.count() == 0);
    await_idle(1);
  }
  advance(601s);
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(the_oldest_of_several_idle_environments_go_first) {
  create("hello", "echo");
  Gate gate;
  auto first = start("hello", "wait=" + gate.name());
  auto second = start("hello", "wait=" + gate.name());
  BOOST_TEST(gate.await_waiting(2));
  gate.open();
  result_of(first);
  result_of(second);
  await_idle(2);
  advance(400s);
  gateway.invoke({.function = "hello"});
  await_idle(2);
  advance(201s);
  BOOST_TEST(await([&] { return host().environments() == 1; }));
  BOOST_TEST(gateway.invoke({.function = "hello"}).report.init_duration.count() == 0);
}

// In a worker the gate would hold up the worker only: what asks for work is the server's side of it.
BOOST_AUTO_TEST_CASE(one_that_has_answered_and_is_not_in_line_yet_expires_with_the_others,
                     *boost::unit_test::label("in_process")) {
  create("hello", "echo");
  Gate work;
  Gate line;
  auto prompt = start("hello", "wait=" + work.name());
  BOOST_TEST(work.await_waiting(1));
  result_of(start("hello", "tarry=" + line.name()));
  BOOST_TEST(line.await_waiting(1));
  advance(400s);
  work.open();
  result_of(prompt);
  advance(201s);
  line.open();
  BOOST_TEST(await([&] { return host().environments() == 1; }));
  BOOST_TEST(gateway.status().idle == 1);
}

BOOST_AUTO_TEST_CASE(provisioned_environments_are_still_there_after_a_day) {
  create("hello", "echo");
  gateway.publish_version({.name = "hello"});
  gateway.put_provisioned_concurrency("hello", "1", 2);
  BOOST_TEST(await([&] { return gateway.status().idle == 2; }));
  const long opened = host().opened();
  for (int hour = 0; hour < 24; ++hour) advance(1h);
  BOOST_TEST(gateway.status().idle == 2);
  BOOST_TEST(host().opened() == opened);
}

BOOST_AUTO_TEST_CASE(a_provisioned_environment_that_cannot_open_is_tried_again_all_day) {
  create("broken", "init-fail=Broken;echo");
  gateway.publish_version({.name = "broken"});
  gateway.put_provisioned_concurrency("broken", "1", 1);
  for (int hour = 0; hour < 24; ++hour) {
    const long opened = host().opened();
    BOOST_TEST(await([&] {
      advance(30s);
      return host().opened() > opened;
    }));
    advance(1h);
  }
}

BOOST_AUTO_TEST_CASE(an_init_has_ten_seconds) {
  Gate init;
  create("hello", "init-wait=" + init.name() + ";echo");
  auto held = start("hello", "text=done");
  BOOST_TEST(init.await_waiting(1));
  advance(9'999ms);
  BOOST_TEST((held.wait_for(0s) == std::future_status::timeout));
  advance(1ms);
  BOOST_TEST(document(result_of(held))["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

// A worker is killed: nothing of it is left to be abandoned.
BOOST_AUTO_TEST_CASE(an_unstoppable_handler_is_abandoned_when_its_grace_is_over_and_not_before,
                     *boost::unit_test::label("in_process")) {
  create("hello", "echo", 10);
  Gate gate;
  auto held = start("hello", "gate=" + gate.name());
  BOOST_TEST(gate.await_waiting(1));
  advance(10s);
  BOOST_TEST(document(result_of(held))["errorType"] == "Sandbox.Timedout");
  BOOST_TEST(gateway.status().interrupting == 1);
  BOOST_TEST(gateway.status().abandoned == 0);
  // The grace is two seconds; it is looked at in steps.
  for (int i = 0; i < 19; ++i) advance(100ms);
  BOOST_TEST(gateway.status().abandoned == 0);
  for (int i = 0; i < 3; ++i) advance(100ms);
  BOOST_TEST(gateway.status().abandoned == 1);
  BOOST_TEST(gateway.status().interrupting == 0);
  gate.open();
  BOOST_TEST(await([&] { return gateway.status().abandoned == 0; }));
}

BOOST_AUTO_TEST_CASE(a_thousand_hours_of_calls_pass_in_a_moment) {
  create("hello", "echo");
  // Each begins with a cold start, and processes are made in real time.
  const unsigned hours = tested_isolation() == Isolation::kInProcess ? 1000 : 50;
  for (unsigned hour = 0; hour < hours; ++hour) {
    BOOST_REQUIRE(gateway.invoke({.function = "hello"}).ok());
    await_idle(1);
    advance(1h);
    // One that was not quite idle yet when the hour passed is found some seconds later.
    const auto is_gone = [&] {
      advance(10s);
      return host().environments() == 0;
    };
    BOOST_REQUIRE(await(is_gone));
  }
  BOOST_TEST(gateway.usage("hello").cold_starts == hours);
}

BOOST_FIXTURE_TEST_CASE(an_environments_life_begins_when_it_is_open, ShortLives) {
  Gate init;
  create("hello", "init-wait=" + init.name() + ";stamp");
  auto held = start("hello", "");
  BOOST_TEST(init.await_waiting(1));
  advance(5s);
  init.open();
  const auto environment_of = [](const InvokeResult& result) { return document(result)["environment"]; };
  const json first = environment_of(result_of(held));
  await_idle(1);
  advance(1'999ms);
  BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) == first);
  await_idle(1);
  advance(1ms);
  BOOST_TEST(environment_of(gateway.invoke({.function = "hello"})) != first);
  BOOST_TEST(gateway.usage("hello").cold_starts == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
