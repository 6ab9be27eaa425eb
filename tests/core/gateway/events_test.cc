// Asynchronous invocations: accepted, run in order, tried again at their times, given up, remembered.
#include "base/clock.h"
#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

// Outcomes as the hooks tell them.
class Outcomes {
 public:
  EventHook hook() {
    return [this](const EventOutcome& outcome) {
      std::lock_guard lock(mutex_);
      all_.push_back(outcome);
    };
  }
  std::vector<EventOutcome> all() const {
    std::lock_guard lock(mutex_);
    return all_;
  }
  std::size_t size() const { return all().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<EventOutcome> all_;
};

struct EventFixture : ScriptedFixture {
  EventFixture() { ScriptedHost::instance(); }

  GatewayOptions with(std::shared_ptr<Clock> its_clock) {
    GatewayOptions result = options();
    result.clock = std::move(its_clock);
    result.quotas.timeout_max_s = 100'000;  // so that a handler can stand in the way for hours
    result.close_grace = 300ms;
    result.async_close_wait = 300ms;
    result.on_event_success = succeeded.hook();
    result.on_event_failure = failed.hook();
    return result;
  }
  void create(const std::string& name, const std::string& script) {
    CreateFunctionRequest request = function(name, script);
    request.timeout_s = 90'000;
    gateway.create_function(request);
  }
  std::string send(const std::string& name, const std::string& payload = "{}",
                   const std::string& qualifier = {}) {
    const InvokeResult accepted = gateway.invoke(
        {.function = name, .payload = payload, .qualifier = qualifier, .type = InvocationType::kEvent});
    BOOST_TEST(accepted.status_code == 202);
    BOOST_TEST(accepted.payload == "");
    BOOST_TEST(accepted.executed_version == "");
    return accepted.request_id;
  }
  std::string state(const std::string& id) { return std::string(name_of(gateway.event_status(id).state)); }
  bool await_state(const std::string& id, const std::string& wanted) {
    return await([&] { return state(id) == wanted; });
  }
  // Moves the clock on; what is due has begun, as far as the core loop begins it, when this returns.
  void advance(std::chrono::nanoseconds by) {
    clock->advance(by);
    for (int turn = 0; turn < 4; ++turn) {
      std::promise<void> looked;
      gateway.invoke({.function = "no-such-function"}, [&](InvokeResult) { looked.set_value(); });
      looked.get_future().wait();
    }
  }
  std::uint64_t attempts() { return gateway.event_counts().age_seconds_count; }

  Outcomes succeeded, failed;
  std::shared_ptr<SimulatedClock> clock = std::make_shared<SimulatedClock>();
  Gateway gateway{with(clock)};
};

BOOST_FIXTURE_TEST_SUITE(gateway_events, EventFixture)

BOOST_AUTO_TEST_CASE(an_event_is_accepted_at_once_and_run_afterwards_with_the_same_request_id) {
  Gate gate;
  create("hello", "wait=" + gate.name() + ";echo");
  const std::string id = send("hello", R"({"name":"Ada"})");
  BOOST_TEST(gate.await_waiting(1));
  BOOST_TEST(state(id) == "Running");
  gate.open();
  BOOST_REQUIRE(await([&] { return succeeded.size() == 1; }));
  const EventOutcome outcome = succeeded.all()[0];
  BOOST_TEST(outcome.request_id == id);
  BOOST_TEST(outcome.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:hello:$LATEST");
  BOOST_TEST(outcome.condition == "Success");
  BOOST_TEST(outcome.attempts == 1);
  BOOST_TEST(outcome.payload == R"({"name":"Ada"})");
  BOOST_TEST(outcome.executed_version == "$LATEST");
  BOOST_TEST(state(id) == "Succeeded");
  BOOST_TEST(log->text("hello").find("START RequestId: " + id) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_run_is_refused_before_it_is_accepted) {
  create("hello", "echo");
  const auto refused = [&](InvokeRequest request) {
    request.type = InvocationType::kEvent;
    return error_of([&] { gateway.invoke(request); });
  };
  check_error(refused({.function = "nobody"}), ErrorCode::ResourceNotFoundException,
              "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST");
  BOOST_TEST(
      (refused({.function = "hello", .qualifier = "7"}).code() == ErrorCode::ResourceNotFoundException));
  BOOST_TEST(
      (refused({.function = "hello", .payload = "{"}).code() == ErrorCode::InvalidRequestContentException));
  check_error(refused({.function = "hello", .payload = '"' + std::string(262'143, 'x') + '"'}),
              ErrorCode::RequestEntityTooLargeException,
              "262145 byte payload is too large for the Event invocation type (limit 262144 bytes)");
  BOOST_TEST(gateway.event_counts().received == 0u);
  check_error(error_of([&] { gateway.event_status("no-such-id"); }), ErrorCode::ResourceNotFoundException,
              "No asynchronous invocation is known by the request id no-such-id.");
}

BOOST_AUTO_TEST_CASE(the_largest_event_is_the_quotas) {
  create("hello", "text=done");
  send("hello", '"' + std::string(262'142, 'x') + '"');
  BOOST_TEST(await([&] { return succeeded.size() == 1; }));
}

BOOST_AUTO_TEST_CASE(all_forms_of_the_call_accept_events) {
  create("hello", "echo");
  const InvokeRequest request{.function = "hello", .type = InvocationType::kEvent};
  BOOST_TEST(result_of(gateway.invoke_future(request)).status_code == 202);
  std::promise<InvokeResult> answered;
  gateway.invoke(request, [&](InvokeResult result) { answered.set_value(std::move(result)); });
  BOOST_TEST(result_of(answered.get_future()).status_code == 202);
  std::promise<InvokeResult> refused;
  gateway.invoke({.function = "nobody", .type = InvocationType::kEvent},
                 [&](InvokeResult result) { refused.set_value(std::move(result)); });
  const InvokeResult refusal = result_of(refused.get_future());
  BOOST_TEST(refusal.status_code == 404);
  BOOST_REQUIRE(refusal.error);
  BOOST_TEST(await([&] { return succeeded.size() == 2; }));
}

BOOST_AUTO_TEST_CASE(an_id_of_the_callers_own_is_the_events) {
  Gate gate;
  create("hello", "wait=" + gate.name());
  InvokeRequest request{.function = "hello", .type = InvocationType::kEvent, .request_id = "order-17"};
  BOOST_TEST(gateway.invoke(request).request_id == "order-17");
  BOOST_TEST(gateway.invoke(request).request_id == "order-17");  // sent twice, taken once
  BOOST_TEST(gateway.event_counts().received == 1u);
  gate.open();
  BOOST_TEST(await_state("order-17", "Succeeded"));
  BOOST_TEST(attempts() == 1u);
}

BOOST_AUTO_TEST_CASE(events_of_a_function_begin_in_the_order_in_which_they_were_accepted) {
  create("hello", "echo");
  gateway.put_function_concurrency("hello", 1);
  std::vector<std::string> sent;
  for (int i = 0; i < 1000; ++i) sent.push_back(send("hello", std::to_string(i)));
  // One that is throttled waits for the one that runs, at the latest for the clock.
  BOOST_TEST(await([&] {
    advance(1s);
    return succeeded.size() == sent.size();
  }));
  std::vector<std::string> ran;
  for (const EventOutcome& outcome : succeeded.all()) ran.push_back(outcome.request_id);
  BOOST_TEST(ran == sent);
}

BOOST_AUTO_TEST_CASE(a_failure_is_tried_again_after_one_and_two_minutes_to_the_millisecond) {
  create("hello", "fail=Oops");
  const std::string id = send("hello");
  BOOST_REQUIRE(await_state(id, "Retrying"));
  advance(59'999ms);
  BOOST_TEST(attempts() == 1u);
  advance(1ms);
  BOOST_REQUIRE(await([&] { return attempts() == 2u; }));
  BOOST_REQUIRE(await_state(id, "Retrying"));
  BOOST_TEST(gateway.event_status(id).attempts == 2);
  advance(119'999ms);
  BOOST_TEST(attempts() == 2u);
  advance(1ms);
  BOOST_REQUIRE(await([&] { return failed.size() == 1; }));
  const EventOutcome outcome = failed.all()[0];
  BOOST_TEST(outcome.request_id == id);
  BOOST_TEST(outcome.condition == "RetriesExhausted");
  BOOST_TEST(outcome.attempts == 3);
  BOOST_TEST(outcome.function_error == "Unhandled");
  BOOST_TEST(json::parse(outcome.payload)["errorType"] == "Oops");
  BOOST_TEST((outcome.ended - outcome.accepted == 180s));
  BOOST_TEST(state(id) == "Failed");
  BOOST_TEST(gateway.event_counts().dropped == 1u);
  BOOST_TEST(gateway.event_counts().retries == 2u);
  BOOST_TEST(await([&] { return gateway.event_counts().waiting == 0; }));
  // The same request id in all three.
  const std::string text = log->text("hello");
  int starts = 0;
  for (auto at = text.find("START RequestId: " + id); at != std::string::npos; ++starts)
    at = text.find("START RequestId: " + id, at + 1);
  BOOST_TEST(starts == 3);
}

BOOST_AUTO_TEST_CASE(a_retry_that_succeeds_ends_the_event) {
  create("hello", "fail=Oops");
  const std::string id = send("hello");
  BOOST_REQUIRE(await_state(id, "Retrying"));
  // Updated while it waits: the next attempt runs what there is then.
  gateway.update_function_configuration({.name = "hello", .handler = "echo"});
  advance(60s);
  BOOST_TEST(await_state(id, "Succeeded"));
  BOOST_TEST(succeeded.all().at(0).attempts == 2);
}

BOOST_AUTO_TEST_CASE(the_version_and_the_alias_of_the_call_are_kept) {
  create("hello", "text=one");
  gateway.publish_version({.name = "hello"});
  gateway.create_alias({.function = "hello", .alias = "live", .version = "1"});
  Gate gate;
  gateway.update_function_configuration({.name = "hello", .handler = "text=latest"});
  send("hello", "{}", "1");
  send("hello:live");
  send("hello");
  BOOST_REQUIRE(await([&] { return succeeded.size() == 3; }));
  std::map<std::string, std::string> seen;
  for (const EventOutcome& outcome : succeeded.all())
    seen[outcome.function_arn.substr(outcome.function_arn.rfind(':') + 1)] =
        outcome.executed_version + " " + outcome.payload;
  BOOST_TEST(seen["1"] == "1 \"one\"");
  BOOST_TEST(seen["live"] == "1 \"one\"");
  BOOST_TEST(seen["$LATEST"] == "$LATEST \"latest\"");
}

BOOST_AUTO_TEST_CASE(a_throttled_event_waits_and_uses_no_attempt_up) {
  Gate gate;
  create("hello", "echo");
  gateway.put_function_concurrency("hello", 1);
  auto held = gateway.invoke_future({.function = "hello", .payload = do_script("wait=" + gate.name())});
  BOOST_TEST(gate.await_waiting(1));
  const std::string id = send("hello");
  const auto throttles = [&] { return gateway.usage("hello").throttles; };
  BOOST_REQUIRE(await([&] { return throttles() == 1u; }));
  BOOST_TEST(state(id) == "Pending");
  // 1 s, 2 s, 4 s, ... 256 s, then five minutes at most.
  std::uint64_t expected = 1;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s}) {
    advance(pause - 1ms);
    BOOST_TEST(throttles() == expected);
    advance(1ms);
    BOOST_REQUIRE(await([&] { return throttles() == expected + 1; }));
    ++expected;
  }
  gate.open();
  result_of(held);
  advance(300s);
  BOOST_TEST(await_state(id, "Succeeded"));
  BOOST_TEST(gateway.event_status(id).attempts == 1);
}

BOOST_AUTO_TEST_CASE(a_throttled_event_is_given_up_at_six_hours_to_the_millisecond) {
  Gate gate;
  create("hello", "echo");
  gateway.put_function_concurrency("hello", 1);
  auto held = gateway.invoke_future({.function = "hello", .payload = do_script("wait=" + gate.name())});
  BOOST_REQUIRE(gate.await_waiting(1));
  const std::string id = send("hello");
  BOOST_REQUIRE(await([&] { return gateway.usage("hello").throttles >= 1u; }));
  advance(21'599'999ms);
  BOOST_TEST(state(id) == "Pending");
  advance(1ms);
  BOOST_REQUIRE(await([&] { return failed.size() == 1; }));
  BOOST_TEST(failed.all()[0].condition == "EventAgeExceeded");
  BOOST_TEST(failed.all()[0].attempts == 0);
  BOOST_TEST(state(id) == "Expired");
  gate.open();
  result_of(held);
}

BOOST_AUTO_TEST_CASE(an_event_of_a_function_without_concurrency_fails_at_once) {
  create("hello", "echo");
  gateway.put_function_concurrency("hello", 0);
  const std::string id = send("hello");
  BOOST_REQUIRE(await([&] { return failed.size() == 1; }));
  const EventOutcome outcome = failed.all()[0];
  BOOST_TEST(outcome.condition == "ZeroReservedConcurrency");
  BOOST_TEST(outcome.attempts == 0);
  BOOST_TEST(outcome.payload == "");
  BOOST_TEST(state(id) == "Failed");
  BOOST_TEST(gateway.usage("hello").throttles == 0u);
}

BOOST_AUTO_TEST_CASE(events_of_what_was_deleted_end_in_words) {
  create("gone", "fail=Oops");
  create("hello", "fail=Oops");
  gateway.publish_version({.name = "hello"});
  const std::string of_function = send("gone");
  const std::string of_version = send("hello", "{}", "1");
  BOOST_REQUIRE(await_state(of_function, "Retrying"));
  BOOST_REQUIRE(await_state(of_version, "Retrying"));
  gateway.delete_function("gone");
  gateway.delete_function("hello", "1");
  advance(60s);
  BOOST_REQUIRE(await([&] { return failed.size() == 2; }));
  for (const EventOutcome& outcome : failed.all()) {
    BOOST_TEST(outcome.condition == "ResourceNotFound");
    BOOST_TEST(outcome.attempts == 1);
  }
}

BOOST_AUTO_TEST_CASE(one_functions_backlog_does_not_delay_anothers_event) {
  Gate gate;
  create("busy", "wait=" + gate.name());
  create("other", "echo");
  for (int i = 0; i < 2000; ++i) send("busy");
  const std::string id = send("other");
  BOOST_TEST(await_state(id, "Succeeded"));
  BOOST_TEST(succeeded.size() == 1u);
  gate.open();
  BOOST_TEST(await([&] { return succeeded.size() == 2001; }));
}

BOOST_AUTO_TEST_CASE(more_run_at_once_when_handlers_wait) {
  Gate gate;
  create("slow", "wait=" + gate.name());
  for (int i = 0; i < 64; ++i) send("slow");
  BOOST_REQUIRE(await([&] { return gate.waiting() >= 2; }));
  BOOST_TEST(await([&] {
    advance(50ms);
    return gate.waiting() == 64;
  }));
  gate.open();
  BOOST_TEST(await([&] { return succeeded.size() == 64; }));
}

BOOST_AUTO_TEST_CASE(what_is_over_is_remembered_for_an_hour) {
  create("hello", "echo");
  const std::string id = send("hello");
  BOOST_REQUIRE(await_state(id, "Succeeded"));
  advance(3599s);
  BOOST_TEST(state(id) == "Succeeded");
  advance(1s);
  BOOST_TEST((error_of([&] { gateway.event_status(id); }).code() == ErrorCode::ResourceNotFoundException));
}

BOOST_AUTO_TEST_CASE(hooks_may_send_events) {
  create("hello", "echo");
  GatewayOptions chained = with(clock);
  Gateway* self = nullptr;
  std::atomic<int> seen{0};
  chained.on_event_success = [&](const EventOutcome&) {
    if (++seen < 5) self->invoke({.function = "hello", .type = InvocationType::kEvent}, [](InvokeResult) {});
  };
  Gateway other(chained);
  self = &other;
  other.create_function(function("hello", "echo"));
  other.invoke({.function = "hello", .type = InvocationType::kEvent});
  BOOST_TEST(await([&] { return seen == 5; }));
}

BOOST_AUTO_TEST_SUITE_END()

struct BoundedFixture : ScriptedFixture {};
BOOST_FIXTURE_TEST_SUITE(gateway_events_ending, BoundedFixture)

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_in_words_and_goes_on_when_there_is_room) {
  Gate gate;
  GatewayOptions few = options();
  few.max_waiting_events = 3;
  few.close_grace = 300ms;
  Gateway gateway(few);
  gateway.create_function(function("hello", "wait=" + gate.name()));
  const InvokeRequest request{.function = "hello", .type = InvocationType::kEvent};
  for (int i = 0; i < 3; ++i) gateway.invoke(request);
  const Error full = error_of([&] { gateway.invoke(request); });
  check_error(full, ErrorCode::TooManyRequestsException,
              "Rate Exceeded. 3 events wait already, which is all that this gateway keeps.");
  BOOST_TEST(full.reason() == "EventQueueFull");
  gate.open();
  BOOST_TEST(await([&] { return gateway.event_counts().succeeded == 3; }));
  BOOST_TEST(await([&] { return gateway.event_counts().waiting == 0; }));
  BOOST_TEST(gateway.invoke(request).status_code == 202);
}

BOOST_AUTO_TEST_CASE(closing_waits_for_what_runs_and_takes_nothing_new) {
  Gate gate;
  std::atomic<int> done{0};
  GatewayOptions patient = options();
  patient.async_close_wait = 10s;
  patient.on_event_success = [&](const EventOutcome&) { ++done; };
  Gateway gateway(patient);
  gateway.create_function(function("hello", "wait=" + gate.name()));
  gateway.invoke({.function = "hello", .type = InvocationType::kEvent});
  BOOST_TEST(gate.await_waiting(1));
  std::thread closer([&] { gateway.close(); });
  BOOST_TEST(await([&] {
    try {
      gateway.invoke({.function = "hello", .type = InvocationType::kEvent});
      return false;
    } catch (const Error& error) {
      return error.code() == ErrorCode::GatewayClosed;
    }
  }));
  BOOST_TEST(done == 0);
  gate.open();
  closer.join();
  BOOST_TEST(done >= 1);
}

BOOST_AUTO_TEST_CASE(closing_waits_no_longer_than_it_is_told) {
  Gate gate;
  GatewayOptions brief = options();
  brief.async_close_wait = 100ms;
  brief.close_grace = 300ms;
  Gateway gateway(brief);
  gateway.create_function(function("hello", "wait=" + gate.name()));
  gateway.invoke({.function = "hello", .type = InvocationType::kEvent});
  BOOST_TEST(gate.await_waiting(1));
  const auto begin = std::chrono::steady_clock::now();
  gateway.close();
  const auto took = std::chrono::steady_clock::now() - begin;
  BOOST_TEST((took >= 100ms));
  BOOST_TEST((took < 3s));
}

BOOST_AUTO_TEST_CASE(retries_keep_their_times_in_real_time) {
  std::mutex mutex;
  std::vector<EventOutcome> failed;
  GatewayOptions real = options();
  real.async_retry_base = 200ms;
  real.on_event_failure = [&](const EventOutcome& outcome) {
    std::lock_guard lock(mutex);
    failed.push_back(outcome);
  };
  Gateway gateway(real);
  gateway.create_function(function("hello", "fail=Oops"));
  gateway.invoke({.function = "hello", .type = InvocationType::kEvent});
  BOOST_REQUIRE(await([&] {
    std::lock_guard lock(mutex);
    return failed.size() == 1;
  }));
  BOOST_TEST(failed[0].attempts == 3);
  const auto took = failed[0].ended - failed[0].accepted;
  BOOST_TEST((took >= 600ms));
  BOOST_TEST((took < 2s));  // a busy machine
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
