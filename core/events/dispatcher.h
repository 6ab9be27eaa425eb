// Runs what waits in a queue: events of one gateway's functions, and the deliveries that come of them.
//
// A lane is one function's events, or one target's deliveries. Lanes take turns, so that a backlog of the one does not delay the
// other; within a lane items begin in the order in which they are due. How many of a lane run at once is its window: it begins
// small, since more than the processors can do only delays synchronous calls, and grows while handlers take their time (they wait,
// then, rather than compute) up to half of the account's concurrency for all lanes together. Every lane may run one in any case.
//
// An attempt that is throttled or fails in the system uses nothing up: the lane pauses, 1 s at first and twice as long each time up
// to five minutes, or until one of its own attempts ends. A function error is tried again at its time. See docs/asynchronous-invocation.md.
//
// Threads: accept, status and counts from any thread; everything else on the core loop's thread, which alone touches lanes. Answers
// of the queue, of attempts and of the deliverer are posted there. Life: start() -> close(), which keeps what is not done in the
// queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/loop.h"
#include "events/delivery.h"
#include "events/event_clock.h"
#include "events/journal.h"
#include "events/queue.h"
#include "events/record.h"
#include "invocation/engine.h"
#include "lambed/events.h"
#include "model/reference.h"

namespace lambed::events {

struct DispatcherOptions {
  model::Scope scope;
  std::chrono::milliseconds retry_base{60'000};
  int account_concurrency = 1000;
  EventHook on_success = {};
  EventHook on_failure = {};
  // Each attempt that reached a handler, on any thread; must not block.
  std::function<void(const std::string& function_arn, const InvokeResult&)> on_attempt = {};
};

class Dispatcher final : public invocation::EventQueue, public std::enable_shared_from_this<Dispatcher> {
 public:
  // Goes on with what the queue holds for this account and region. Deliveries wait while `deliverer` is null. The caller makes it
  // the engine's event queue.
  static std::shared_ptr<Dispatcher> start(const std::shared_ptr<invocation::Engine>& engine,
                                           std::shared_ptr<Queue> queue, std::unique_ptr<Deliverer> deliverer,
                                           DispatcherOptions options);
  ~Dispatcher() override;

  void accept(InvokeRequest request, std::string function, std::string qualifier,
              std::function<void(Result<std::string>)> done) override;
  // ResourceNotFoundException: no such event is known. `done` on any thread.
  void status(const std::string& request_id, std::function<void(Result<EventStatus>)> done);
  EventCounts counts() const;
  std::map<std::string, Journal::OfFunction> counts_by_function() const { return journal_.by_function(); }
  const Queue& queue() const { return *queue_; }

  // Takes no more, begins nothing more. Any thread.
  void begin_close();
  // The same, and waits at most `patience` for what runs and for what it leaves to write. Not on the core loop's thread.
  void close(std::chrono::milliseconds patience);

 private:
  struct Lane;
  struct Running;
  struct Ended;
  struct Over;
  struct Owed;

  Dispatcher(const std::shared_ptr<invocation::Engine>& engine, std::shared_ptr<Queue> queue,
             std::unique_ptr<Deliverer> deliverer, DispatcherOptions options);

  // ---- Any thread.
  void wake();
  void post(std::function<void()> function);
  void arrived(const std::string& lane);
  void ended(std::shared_ptr<Ended> end);
  Error refusal(Stored why) const;

  // ---- On the core loop: turns.
  void pump();
  void ready(Lane& lane);
  Lane& lane_of(const std::string& name);
  void serve(Lane& lane);
  bool may_begin(const Lane& lane) const;
  bool is_stalled() const;
  void fetch(Lane& lane);
  void take(Lane& lane, Fetched fetched);
  void arm(Lane& lane);
  void grow(Lane& lane);
  void put_back(Lane& lane, Item item);
  void pause(Lane& lane);
  // The same for what is no fault of the event's; errors of the system are named on the log, once in a row of them.
  void pause(Lane& lane, const Error& error);
  void forget_if_done(Lane& lane);

  // ---- On the core loop: attempts.
  enum class Begun : std::uint8_t { kRuns, kOver, kPaused };
  Begun begin_event(Lane& lane, Item item);
  Begun begin_delivery(Lane& lane, Item item);
  void finish(Ended& end);
  void finish_event(Lane& lane, Running& running, InvokeResult result);
  void finish_delivery(Lane& lane, Running& running, const DeliveryResult& result);
  void over(Lane& lane, Over what);
  void give_up_delivery(const Lane& lane, const Delivery& delivery, const std::string& words);
  Millis expiry_of(const Lane& lane, const Item& item) const;
  void notice(const std::string& function, const std::string& words) const;

  // ---- On the core loop: what is to be written.
  void owe(Owed owed);
  void flush();
  void send(std::vector<Owed> batch);
  void settled(std::vector<Owed> batch, bool is_done);

  const std::weak_ptr<invocation::Engine> engine_;
  const std::shared_ptr<CoreLoop> loop_;
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<LogSink> sink_;
  const catalog::Directory& directory_;  // outlives the loop
  const std::shared_ptr<Queue> queue_;
  const std::unique_ptr<Deliverer> deliverer_;
  const DispatcherOptions options_;
  const std::string prefix_;
  const EventClock time_;
  const int most_running_;
  Journal journal_;

  std::atomic<bool> closing_{false};
  std::atomic<bool> is_posted_{false};
  std::mutex mutex_;  // guards what follows, up to the next paragraph
  std::unordered_set<std::string> arrived_;
  std::vector<std::shared_ptr<Ended>> ended_;
  std::condition_variable rests_;
  bool is_at_rest_ = false;  // it closes, nothing runs, nothing is to be written

  // Of the core loop:
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::deque<Lane*> ring_;
  std::vector<Lane*> crowded_;  // wait until fewer run in all
  int running_ = 0;
  std::vector<Owed> owed_;  // to be settled
  std::size_t being_settled_ = 0;
  std::size_t calls_ = 0;     // to the queue about them
  bool is_refusing_ = false;  // the queue has not taken the last of them
};

}  // namespace lambed::events
