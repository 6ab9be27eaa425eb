// Events with a queue on disk: a restart, a full disk; and deliveries whose target is away.
#include <future>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "core/gateway/scripted.h"
#include "events/broken_queue.h"
#include "events/durable_queue.h"
#include "gateway/core.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

namespace lambed::testing {
namespace {

using events::Delivery;
using events::DeliveryResult;

// A target as the test wants it: away, refusing or there.
class Target {
 public:
  std::unique_ptr<events::Deliverer> deliverer() {
    class Sender final : public events::Deliverer {
     public:
      explicit Sender(Target& target) : target_(target) {}
      void deliver(Delivery delivery, std::function<void(DeliveryResult)> done) override {
        done(target_.take(std::move(delivery)));
      }

     private:
      Target& target_;
    };
    return std::make_unique<Sender>(*this);
  }
  void become(DeliveryResult::Kind kind) {
    std::lock_guard lock(mutex_);
    kind_ = kind;
  }
  std::vector<Delivery> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  DeliveryResult take(Delivery delivery) {
    std::lock_guard lock(mutex_);
    seen_.push_back(std::move(delivery));
    return {kind_, "its words"};
  }

  mutable std::mutex mutex_;  // guards what follows
  DeliveryResult::Kind kind_ = DeliveryResult::Kind::kDelivered;
  std::vector<Delivery> seen_;
};

constexpr char kTarget[] = "arn:aws:sqs:us-east-1:123456789012:q";

struct DurableFixture : ScriptedFixture {
  void start() {
    GatewayOptions its = options();
    its.clock = clock;
    its.close_grace = 300ms;
    its.async_close_wait = 2s;
    if (queue == nullptr) {
      queue = std::make_shared<events::DurableQueue>(storage::open_database("db", disk.name()),
                                                     std::make_shared<SystemRandom>());
    }
    gateway::Storage its_storage;
    its_storage.store = store;
    its_storage.packages = packages;
    its_storage.events = queue;
    core = std::make_unique<gateway::Core>(its, its_storage, true, gateway::Extras{target.deliverer(), {}});
    store = nullptr;
  }
  void stop() {
    core.reset();
    queue.reset();
  }
  ~DurableFixture() { stop(); }

  void create(const std::string& name, const std::string& script) {
    core->catalog().create_function(function(name, script)).value();
  }
  Result<InvokeResult> call(const std::string& name, InvocationType type, const std::string& payload = "{}") {
    return core->engine().invoke({.function = name, .payload = payload, .type = type}, {});
  }
  std::string send(const std::string& name, const std::string& payload = "{}") {
    return call(name, InvocationType::kEvent, payload).value().request_id;
  }
  std::string state(const std::string& id) {
    const auto status = core->event_status(id);
    return status.ok() ? std::string(name_of(status->state)) : "unknown";
  }
  bool await_state(const std::string& id, const std::string& wanted) {
    return await([&] { return state(id) == wanted; });
  }
  EventCounts counts() { return core->events().counts(); }
  void advance(std::chrono::nanoseconds by) {
    clock->advance(by);
    for (int turn = 0; turn < 4; ++turn) {
      std::promise<void> looked;
      core->engine().invoke(
          {.function = "no-such-function"}, [&](InvokeResult) { looked.set_value(); },
          CallbackThread::kCoreLoop);
      looked.get_future().wait();
    }
  }
  // Until the condition holds, with time passing as it must for what is tried again.
  template <typename Condition>
  bool await_passing(Condition condition, std::chrono::nanoseconds step) {
    return await([&] {
      if (condition()) return true;
      advance(step);
      return false;
    });
  }

  CuttingDisk disk{"gateway-events"};
  std::shared_ptr<SimulatedClock> clock = std::make_shared<SimulatedClock>();
  std::shared_ptr<catalog::Store> store;
  std::shared_ptr<catalog::CodePackages> packages;
  std::shared_ptr<events::Queue> queue;
  Target target;
  std::unique_ptr<gateway::Core> core;
};

BOOST_FIXTURE_TEST_SUITE(gateway_events_durable, DurableFixture)

BOOST_AUTO_TEST_CASE(what_waits_at_the_end_goes_on_at_the_next_start) {
  start();
  create("hello", "fail=Oops");
  const std::string id = send("hello", R"({"n":1})");
  BOOST_REQUIRE(await_state(id, "Retrying"));
  BOOST_REQUIRE(await([&] { return queue->depth() == 1 && core->event_status(id)->attempts == 1; }));
  // Written: asked of the queue itself, not of what the gateway remembers.
  std::this_thread::sleep_for(20ms);
  stop();
  start();
  BOOST_TEST(state(id) == "Retrying");
  create("hello", "echo");
  advance(60s);
  BOOST_REQUIRE(await_state(id, "Succeeded"));
  BOOST_TEST(core->event_status(id)->attempts == 2);
  BOOST_TEST(await([&] { return queue->depth() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_events_and_serves_on_and_nothing_runs_twice) {
  start();
  Gate gate;
  create("hello", "wait=" + gate.name());
  create("other", "echo");
  const std::string id = send("hello");
  BOOST_TEST(gate.await_waiting(1));
  disk.fill_after(0);
  const auto refused = call("other", InvocationType::kEvent);
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::ServiceException));
  BOOST_TEST(refused.error().message().find("The event was not stored: ") == 0u, refused.error().message());
  BOOST_TEST(refused.error().message().find("full") != std::string::npos, refused.error().message());
  BOOST_TEST(call("other", InvocationType::kRequestResponse).value().ok());
  // Its end cannot be written yet.
  gate.open();
  BOOST_TEST(await_state(id, "Succeeded"));
  for (int i = 0; i < 5; ++i) advance(1s);
  BOOST_TEST(queue->depth() == 1u);
  disk.fill_after(UINT64_MAX);
  BOOST_TEST(await_passing([&] { return queue->depth() == 0; }, 1s));
  BOOST_TEST(counts().age_seconds_count == 1u);
  BOOST_TEST(await_state(send("other"), "Succeeded"));
}

BOOST_AUTO_TEST_CASE(a_queue_that_cannot_be_opened_refuses_in_words_and_the_rest_serves_on) {
  queue = std::make_shared<events::BrokenQueue>("events.db: file is not a database");
  start();
  create("hello", "echo");
  BOOST_TEST(call("hello", InvocationType::kRequestResponse).value().ok());
  const auto refused = call("hello", InvocationType::kEvent);
  BOOST_REQUIRE(!refused.ok());
  check_error(refused.error(), ErrorCode::ServiceException,
              "The event was not stored: events.db: file is not a database");
  BOOST_TEST(state("any") == "unknown");
}

BOOST_AUTO_TEST_CASE(a_target_that_is_away_gets_its_delivery_when_it_is_back_also_after_a_restart) {
  start();
  create("hello", "fail=Oops");
  core->catalog()
      .put_event_invoke({.function = "hello", .maximum_retry_attempts = 0, .on_failure = kTarget})
      .value();
  target.become(DeliveryResult::Kind::kRetryLater);
  const std::string id = send("hello", R"({"n":1})");
  BOOST_REQUIRE(await([&] { return target.seen().size() == 1; }));
  // Its next time is counted from when its end was noted, so no time may pass before that.
  const auto tries_noted = [&] {
    std::promise<int> noted;
    queue->find(id + "/failure", [&](bool ok, const std::optional<events::Found>& found) {
      noted.set_value(ok && found ? found->attempts : 0);
    });
    return noted.get_future().get();
  };
  // After 1 s, 2 s, 4 s.
  std::size_t tries = 1;
  for (const auto pause : {1s, 2s, 4s}) {
    BOOST_REQUIRE(await([&] { return tries_noted() == static_cast<int>(tries); }));
    advance(pause - 1ms);
    BOOST_TEST(target.seen().size() == tries);
    advance(1ms);
    BOOST_REQUIRE(await([&] { return target.seen().size() == tries + 1; }));
    ++tries;
  }
  stop();
  target.become(DeliveryResult::Kind::kDelivered);
  start();
  BOOST_REQUIRE(await_passing([&] { return target.seen().size() == tries + 1; }, 1s));
  BOOST_TEST(await([&] { return queue->depth() == 0; }));
  BOOST_TEST(target.seen().back().attempt == static_cast<int>(tries) + 1);
  const Delivery delivery = target.seen().back();
  BOOST_TEST(delivery.id == id + "/failure");
  BOOST_TEST((delivery.kind == events::DeliveryKind::kOnFailure));
  BOOST_TEST(delivery.target == kTarget);
  BOOST_TEST(delivery.request_id == id);
  BOOST_TEST(delivery.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:hello:$LATEST");
  BOOST_TEST((delivery.condition == events::Condition::kRetriesExhausted));
  BOOST_TEST(delivery.approximate_invoke_count == 1);
  BOOST_TEST(delivery.request_payload == R"({"n":1})");
  BOOST_TEST(delivery.has_response);
  BOOST_TEST(delivery.function_error == "Unhandled");
  BOOST_TEST(json::parse(delivery.response_payload)["errorType"] == "Oops");
  BOOST_TEST(delivery.error_code == 200);
  BOOST_TEST(delivery.error_message == "scripted failure");
  BOOST_TEST(counts().destination_delivery_failures == 0u);
}

BOOST_AUTO_TEST_CASE(a_delivery_that_is_refused_or_never_taken_is_counted_and_reported) {
  start();
  CreateFunctionRequest request = function("hello", "fail=Oops");
  request.dead_letter_target_arn = kTarget;
  core->catalog().create_function(request).value();
  core->catalog().put_event_invoke({.function = "hello", .maximum_retry_attempts = 0}).value();
  target.become(DeliveryResult::Kind::kRefused);
  const std::string refused = send("hello");
  BOOST_REQUIRE(await([&] { return counts().dead_letter_errors == 1; }));
  // It is counted first.
  const auto is_told = [&](const std::string& words) {
    return await([&] { return log->text("hello").find(words) != std::string::npos; });
  };
  BOOST_TEST(is_told("lambed: the dead letter of request " + refused + " to " + kTarget +
                     " was given up: its words"));
  target.become(DeliveryResult::Kind::kRetryLater);
  send("hello");
  BOOST_REQUIRE(await([&] { return target.seen().size() == 2; }));
  BOOST_TEST(await_passing([&] { return counts().dead_letter_errors == 2; }, 300s));
  BOOST_TEST(is_told("its target has not taken it for six hours"));
  BOOST_TEST(await([&] { return queue->depth() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_success_is_told_too_and_an_event_that_is_too_old_has_no_retry) {
  start();
  create("good", "echo");
  create("bad", "fail=Oops");
  core->catalog().put_event_invoke({.function = "good", .on_success = kTarget}).value();
  core->catalog()
      .put_event_invoke({.function = "bad", .maximum_event_age_s = 60, .on_failure = kTarget})
      .value();
  send("good", R"({"n":1})");
  BOOST_REQUIRE(await([&] { return target.seen().size() == 1; }));
  BOOST_TEST((target.seen()[0].condition == events::Condition::kSuccess));
  BOOST_TEST(target.seen()[0].response_payload == R"({"n":1})");
  const std::string id = send("bad");
  BOOST_REQUIRE(await([&] { return target.seen().size() == 2; }));
  BOOST_TEST((target.seen()[1].condition == events::Condition::kEventAgeExceeded));
  BOOST_TEST(target.seen()[1].approximate_invoke_count == 1);
  BOOST_TEST(state(id) == "Expired");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
