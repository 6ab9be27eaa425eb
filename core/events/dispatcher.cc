// Turns: which lane may begin what, and when it is looked at again. Attempts and their ends: attempts.cc.
#include "events/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "events/lane.h"

namespace lambed::events {
namespace {

using namespace std::chrono_literals;

// Begun in one turn of the loop, and for one lane before the next one's turn: timers and callbacks wait no longer.
constexpr int kTurn = 64;
constexpr int kLaneTurn = 16;

constexpr std::size_t kBatch = 256;
constexpr std::size_t kBatchBytes = 1 << 20;
constexpr std::size_t kLow = 96;  // so few are left when the next are fetched

constexpr Nanos kFirstPause = to_nanos(1s);
constexpr Nanos kLongestPause = to_nanos(5min);  // AWS: from 1 second to 5 minutes
constexpr Nanos kPeriod = to_nanos(50ms);
constexpr Nanos kNoGrowth = to_nanos(5s);
constexpr double kWorthIt = 1.2;

// A target takes a few at a time.
constexpr int kDeliveries = 4;

int first_window() { return std::max(2, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace

// ---- Life.

Dispatcher::Dispatcher(const std::shared_ptr<invocation::Engine>& engine, std::shared_ptr<Queue> queue,
                       std::unique_ptr<Deliverer> deliverer, DispatcherOptions options)
    : engine_(engine),
      loop_(engine->loop()),
      clock_(engine->clock()),
      sink_(engine->log_sink()),
      directory_(engine->directory()),
      queue_(std::move(queue)),
      deliverer_(std::move(deliverer)),
      options_(std::move(options)),
      prefix_(options_.scope.account + "/" + options_.scope.region + "/"),
      time_(*clock_),
      most_running_(std::max(1, options_.account_concurrency / 2)) {}

Dispatcher::~Dispatcher() = default;

std::shared_ptr<Dispatcher> Dispatcher::start(const std::shared_ptr<invocation::Engine>& engine,
                                              std::shared_ptr<Queue> queue,
                                              std::unique_ptr<Deliverer> deliverer,
                                              DispatcherOptions options) {
  std::shared_ptr<Dispatcher> self(
      new Dispatcher(engine, std::move(queue), std::move(deliverer), std::move(options)));
  const std::weak_ptr<Dispatcher> weak = self;
  self->queue_->lanes(self->prefix_, [weak](bool, const std::vector<std::string>& names) {
    const auto there = weak.lock();
    if (there == nullptr) return;
    for (const std::string& name : names) there->arrived(name);
  });
  return self;
}

void Dispatcher::begin_close() {
  closing_.store(true, std::memory_order_seq_cst);
  wake();
}

void Dispatcher::close(std::chrono::milliseconds patience) {
  begin_close();
  std::unique_lock lock(mutex_);
  rests_.wait_for(lock, patience, [this] { return is_at_rest_; });
}

// ---- Any thread.

void Dispatcher::post(std::function<void()> function) {
  loop_->post([weak = weak_from_this(), function = std::move(function)] {
    if (const auto self = weak.lock()) function();
  });
}

void Dispatcher::wake() {
  if (is_posted_.exchange(true, std::memory_order_seq_cst)) return;
  post([this] { pump(); });
}

void Dispatcher::arrived(const std::string& lane) {
  {
    std::lock_guard lock(mutex_);
    if (!arrived_.insert(lane).second) return;  // the loop has not looked yet
  }
  wake();
}

void Dispatcher::ended(std::shared_ptr<Ended> end) {
  {
    std::lock_guard lock(mutex_);
    ended_.push_back(std::move(end));
  }
  wake();
}

Error Dispatcher::refusal(Stored why) const {
  const std::string trouble = queue_->trouble();
  switch (why) {
    case Stored::kFull:
      return Error(ErrorCode::TooManyRequestsException,
                   fmt::format("Rate Exceeded. {} events wait already, which is all that this gateway keeps.",
                               queue_->depth()),
                   "EventQueueFull");
    case Stored::kUnknown:
      return Error(ErrorCode::ServiceException,
                   "The disk failed while the event was stored: it may be run or not. Send it again to be "
                   "sure. " +
                       trouble);
    default:
      return Error(ErrorCode::ServiceException, "The event was not stored: " + trouble);
  }
}

void Dispatcher::accept(InvokeRequest request, std::string function, std::string qualifier,
                        std::function<void(Result<std::string>)> done) {
  if (closing_.load(std::memory_order_relaxed)) {
    return done(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
  }
  NewItem item;
  item.lane = prefix_ + "e/" + function;
  item.id = std::move(request.request_id);
  item.now = time_.now();
  item.body = encode(EventRecord{std::move(qualifier), std::move(request.payload),
                                 std::move(request.client_context), std::move(request.cognito_identity),
                                 std::move(request.trace_id), std::move(request.tenant_id)});
  std::string lane = item.lane;
  queue_->enqueue(std::move(item),
                  [weak = weak_from_this(), lane = std::move(lane), function = std::move(function),
                   done = std::move(done)](Stored end, const std::string& id) {
                    const auto self = weak.lock();
                    // The same id again is the same event: whoever did not hear the first answer has it now.
                    const bool is_safe = end == Stored::kStored || end == Stored::kDuplicate;
                    if (self != nullptr && end == Stored::kStored) {
                      self->journal_.received(function);
                      self->arrived(lane);
                    }
                    if (is_safe) return done(id);
                    if (self == nullptr)
                      return done(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
                    done(self->refusal(end));
                  });
}

void Dispatcher::status(const std::string& request_id, std::function<void(Result<EventStatus>)> done) {
  if (auto known = journal_.find(request_id, clock_->now())) return done(std::move(*known));
  queue_->find(request_id, [self = shared_from_this(), request_id, done = std::move(done)](
                               bool ok, const std::optional<Found>& found) {
    // It may have been fetched and run in between.
    if (auto known = self->journal_.find(request_id, self->clock_->now())) return done(std::move(*known));
    if (!ok) {
      return done(Error(ErrorCode::ServiceException,
                        "The queue of events cannot be read: " + self->queue_->trouble()));
    }
    const std::string prefix = self->prefix_ + "e/";
    if (!found || !found->lane.starts_with(prefix)) {
      return done(Error(ErrorCode::ResourceNotFoundException,
                        "No asynchronous invocation is known by the request id " + request_id + "."));
    }
    EventStatus status;
    status.request_id = request_id;
    status.function_arn = model::function_arn(self->options_.scope, found->lane.substr(prefix.size()));
    status.attempts = found->attempts;
    status.state = found->attempts == 0 ? EventState::kPending : EventState::kRetrying;
    status.accepted = EventClock::time_of(found->accepted);
    done(std::move(status));
  });
}

EventCounts Dispatcher::counts() const {
  EventCounts counts = journal_.counts();
  counts.waiting = queue_->depth();
  return counts;
}

// ---- On the core loop.

void Dispatcher::pump() {
  is_posted_.store(false, std::memory_order_seq_cst);
  std::unordered_set<std::string> arrivals;
  std::vector<std::shared_ptr<Ended>> ends;
  {
    std::lock_guard lock(mutex_);
    arrivals.swap(arrived_);
    ends.swap(ended_);
  }
  for (const auto& end : ends) finish(*end);
  for (const std::string& name : arrivals) {
    Lane& lane = lane_of(name);
    lane.has_more = true;
    lane.has_news = true;
    ready(lane);
  }
  const bool is_closing = closing_.load(std::memory_order_seq_cst);
  for (int turn = 0; turn < kTurn / kLaneTurn && !ring_.empty() && !is_closing; ++turn) {
    Lane& lane = *ring_.front();
    ring_.pop_front();
    lane.is_in_ring = false;
    serve(lane);
  }
  flush();
  if (is_closing) {
    if (running_ == 0 && owed_.empty() && calls_ == 0) {
      std::lock_guard lock(mutex_);
      is_at_rest_ = true;
      rests_.notify_all();
    }
  } else if (!ring_.empty()) {
    wake();
  }
}

void Dispatcher::ready(Lane& lane) {
  if (lane.is_in_ring) return;
  lane.is_in_ring = true;
  ring_.push_back(&lane);
}

Dispatcher::Lane& Dispatcher::lane_of(const std::string& name) {
  auto& lane = lanes_[name];
  if (lane == nullptr) {
    lane = std::make_unique<Lane>();
    lane->name = name;
    lane->is_delivery = name[prefix_.size()] == 'd';
    lane->subject = name.substr(prefix_.size() + 2);
    lane->window = lane->is_delivery ? kDeliveries : std::min(first_window(), most_running_);
  }
  return *lane;
}

void Dispatcher::forget_if_done(Lane& lane) {
  if (lane.is_in_ring || lane.is_crowded || lane.is_fetching || lane.has_more || lane.running > 0 ||
      !lane.waiting.empty() || lane.next_due != kNotDue || lane.pause != 0) {
    return;
  }
  lanes_.erase(std::string(lane.name));
}

// Of what cannot be written as done, so much is run at most: it would run again after a restart.
bool Dispatcher::is_stalled() const {
  constexpr std::size_t kMostOwed = 1000;
  return is_refusing_ && owed_.size() + being_settled_ >= kMostOwed;
}

bool Dispatcher::may_begin(const Lane& lane) const {
  return lane.running < lane.window && (lane.running == 0 || running_ < most_running_) &&
         lane.paused_until <= clock_->now() && !is_stalled();
}

void Dispatcher::serve(Lane& lane) {
  if (lane.next_due != kNotDue && lane.next_due <= time_.now()) {
    lane.next_due = kNotDue;
    lane.has_more = true;
  }
  grow(lane);
  for (int begun = 0; begun < kLaneTurn && !lane.waiting.empty(); ++begun) {
    // One that is too old ends though nothing can begin.
    if (!may_begin(lane) && time_.now() < expiry_of(lane, lane.waiting.front())) break;
    Item item = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    const Begun how =
        lane.is_delivery ? begin_delivery(lane, std::move(item)) : begin_event(lane, std::move(item));
    if (how == Begun::kPaused) break;
  }
  if (lane.waiting.size() < kLow && lane.has_more && !lane.is_fetching &&
      lane.paused_until <= clock_->now() && !is_stalled()) {
    fetch(lane);
  }
  if (!lane.waiting.empty() && may_begin(lane)) {
    ready(lane);
    return;
  }
  if (!lane.waiting.empty() && lane.running > 0 && running_ >= most_running_ && !lane.is_crowded) {
    lane.is_crowded = true;
    crowded_.push_back(&lane);
  }
  arm(lane);
  forget_if_done(lane);
}

void Dispatcher::fetch(Lane& lane) {
  lane.is_fetching = true;
  lane.has_news = false;
  queue_->fetch(lane.name, kBatch, kBatchBytes, time_.now(),
                [weak = weak_from_this(), name = lane.name](Fetched fetched) {
                  const auto self = weak.lock();
                  if (self == nullptr) return;
                  auto kept = std::make_shared<Fetched>(std::move(fetched));
                  self->post([raw = self.get(), name, kept] {
                    Lane& its = raw->lane_of(name);
                    raw->take(its, std::move(*kept));
                    raw->wake();
                  });
                });
}

void Dispatcher::take(Lane& lane, Fetched fetched) {
  lane.is_fetching = false;
  if (fetched.ok) {
    lane.has_more = fetched.has_more || lane.has_news;
    lane.next_due = fetched.next_due;
    for (Item& item : fetched.items) put_back(lane, std::move(item));
  } else {
    lane.has_more = true;
    pause(lane);
  }
  ready(lane);
}

// In the order in which they are due, which is nearly always at the end.
void Dispatcher::put_back(Lane& lane, Item item) {
  const auto comes_before = [](const Item& a, const Item& b) {
    return a.due != b.due ? a.due < b.due : a.token < b.token;
  };
  if (lane.waiting.empty() || comes_before(lane.waiting.back(), item)) {
    lane.waiting.push_back(std::move(item));
    return;
  }
  const auto at = std::upper_bound(lane.waiting.begin(), lane.waiting.end(), item, comes_before);
  lane.waiting.insert(at, std::move(item));
}

void Dispatcher::pause(Lane& lane) {
  const Nanos now = clock_->now();
  if (now < lane.paused_until) return;
  lane.pause = lane.pause == 0 ? kFirstPause : std::min(lane.pause * 2, kLongestPause);
  lane.paused_until = now + lane.pause;
}

// Looks at a lane again when the first of these is due: its pause is over, its first item is too old, an item's time comes, its
// window is to be looked at.
void Dispatcher::arm(Lane& lane) {
  const Nanos now = clock_->now();
  Nanos at = time_.moment_of(lane.next_due);
  if (now < lane.paused_until && (lane.has_more || !lane.waiting.empty()))
    at = std::min(at, lane.paused_until);
  if (!lane.waiting.empty()) {
    at = std::min(at, time_.moment_of(expiry_of(lane, lane.waiting.front())));
    if (lane.running >= lane.window && !lane.is_delivery) at = std::min(at, lane.period + kPeriod);
  }
  if (at >= lane.timer) return;
  lane.timer = at;
  loop_->schedule(at, [weak = weak_from_this(), name = lane.name, at] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    const auto it = self->lanes_.find(name);
    if (it == self->lanes_.end() || it->second->timer != at) return;
    it->second->timer = kNever;
    self->ready(*it->second);
    self->wake();
  });
}

// A full window is doubled as long as that makes more end in the same time: where handlers wait. Where they compute, more of them
// at once end no sooner, and only take the processors from synchronous calls.
void Dispatcher::grow(Lane& lane) {
  if (lane.is_delivery || lane.waiting.empty() || lane.running < lane.window) return;
  const Nanos now = clock_->now();
  if (lane.period == 0) {
    lane.period = now;
    lane.ended = 0;
    return;
  }
  if (now - lane.period < kPeriod) return;
  const double rate = static_cast<double>(lane.ended) / static_cast<double>(now - lane.period);
  const bool has_grown = std::exchange(lane.window_before, 0) != 0;
  lane.period = now;
  if (has_grown && lane.ended > 0 && rate < lane.rate_before * kWorthIt) {
    lane.window = std::max(1, lane.window / 2);
    lane.no_growth_until = now + kNoGrowth;
  } else if (now >= lane.no_growth_until && lane.window < most_running_) {
    lane.window_before = lane.window;
    lane.window = std::min(lane.window * 2, most_running_);
  }
  lane.rate_before = rate;
  lane.ended = 0;
}

// ---- What is to be written.

void Dispatcher::owe(Owed owed) { owed_.push_back(std::move(owed)); }

// One call at a time: what comes meanwhile goes together with the next commit.
void Dispatcher::flush() {
  if (owed_.empty() || calls_ > 0 || is_refusing_) return;
  send(std::exchange(owed_, {}));
}

void Dispatcher::send(std::vector<Owed> batch) {
  std::vector<Settlement> settlements;
  settlements.reserve(batch.size());
  for (const Owed& owed : batch) settlements.push_back(owed.settlement);
  ++calls_;
  being_settled_ += batch.size();
  auto kept = std::make_shared<std::vector<Owed>>(std::move(batch));
  queue_->settle(std::move(settlements), [weak = weak_from_this(), kept](bool is_done) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->post([raw = self.get(), kept, is_done] { raw->settled(std::move(*kept), is_done); });
  });
}

void Dispatcher::settled(std::vector<Owed> batch, bool is_done) {
  --calls_;
  being_settled_ -= batch.size();
  if (is_done) {
    if (calls_ == 0 && owed_.empty()) is_refusing_ = false;
    for (const Owed& owed : batch) {
      if (owed.settlement.kind == Settlement::Kind::kNak) {
        journal_.set_back(owed.request_id);
        Lane& lane = lane_of(owed.lane);
        lane.next_due = std::min(lane.next_due, owed.settlement.due);
        ready(lane);
      }
      for (const NewItem& item : owed.settlement.follow_ups) {
        Lane& lane = lane_of(item.lane);
        lane.has_more = true;
        lane.has_news = true;
        ready(lane);
      }
    }
  } else {
    owed_.insert(owed_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    is_refusing_ = true;
  }
  if (is_refusing_ && calls_ == 0) {
    loop_->schedule(clock_->now() + kFirstPause, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr || self->calls_ > 0) return;
      // Each by itself: an acknowledgement makes room, a delivery with its payload may not find any.
      std::vector<Owed> all = std::exchange(self->owed_, {});
      if (all.empty()) self->is_refusing_ = false;
      for (Owed& owed : all) {
        std::vector<Owed> alone;
        alone.push_back(std::move(owed));
        self->send(std::move(alone));
      }
      for (const auto& [name, lane] : self->lanes_) self->ready(*lane);
      self->wake();
    });
  }
  wake();
}

}  // namespace lambed::events
