#include "base/loop.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "base/parker.h"

namespace lambed {
namespace {

// Spinning is given up by doubling steps where it does not pay.
constexpr int kMaxPenalty = 256;
// So often it finds more without looking at its timers and sockets.
constexpr int kRounds = 64;

Posted* const kClosed =
    reinterpret_cast<Posted*>(1);  // the stack's bottom once the loop takes nothing any more

class PostedFunction final : public Posted {
 public:
  explicit PostedFunction(std::function<void()> function) : function_(std::move(function)) {}
  void run() override {
    std::unique_ptr<PostedFunction> self(this);
    function_();
  }

 private:
  std::function<void()> function_;
};

void check(int status, const char* what) {
  if (status == 0) return;
  // Only out of descriptors or memory at start-up gets here.
  throw std::system_error(-status, std::generic_category(), what);
}

}  // namespace

CoreLoop::CoreLoop(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {
  check(uv_loop_init(&loop_), "uv_loop_init");
  loop_.data = this;
  check(uv_async_init(&loop_, &async_, [](uv_async_t*) {}), "uv_async_init");
  check(uv_timer_init(&loop_, &timer_), "uv_timer_init");
  check(uv_prepare_init(&loop_, &prepare_), "uv_prepare_init");
  check(uv_check_init(&loop_, &check_), "uv_check_init");
  uv_prepare_start(&prepare_, [](uv_prepare_t* h) { static_cast<CoreLoop*>(h->loop->data)->before_sleep(); });
  uv_check_start(&check_, [](uv_check_t* h) {
    auto* self = static_cast<CoreLoop*>(h->loop->data);
    self->waiting_.store(Waiting::kNot, std::memory_order_relaxed);
  });
}

std::shared_ptr<CoreLoop> CoreLoop::start(std::shared_ptr<Clock> clock) {
  std::shared_ptr<CoreLoop> loop(new CoreLoop(std::move(clock)));
  if (!loop->clock_->runs_by_itself()) {
    CoreLoop* raw = loop.get();
    raw->watch_ = raw->clock_->watch([raw] { raw->post([raw] { raw->look_at_timers(); }); });
  }
  std::thread([loop] { loop->run(); }).detach();
  return loop;
}

// Nobody refers to the loop any more, its thread has ended or is this one, at its end.
CoreLoop::~CoreLoop() {
  for (uv_handle_t* handle :
       {reinterpret_cast<uv_handle_t*>(&async_), reinterpret_cast<uv_handle_t*>(&timer_),
        reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&check_)}) {
    uv_close(handle, nullptr);
  }
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

bool CoreLoop::post(Posted* item) {
  Posted* head = posted_.load(std::memory_order_relaxed);
  do {
    if (head == kClosed) return false;
    item->next_ = head;
  } while (!posted_.compare_exchange_weak(head, item, std::memory_order_seq_cst, std::memory_order_relaxed));
  if (head != nullptr) return true;
  Waiting waiting = waiting_.load(std::memory_order_seq_cst);
  if (waiting == Waiting::kPolling) wake();
  if (waiting == Waiting::kSpinning && waiting_.compare_exchange_strong(waiting, Waiting::kNot))
    Spinners::leave();
  return true;
}

bool CoreLoop::post(std::function<void()> function) {
  auto* item = new PostedFunction(std::move(function));
  if (post(item)) return true;
  delete item;
  return false;
}

void CoreLoop::wake() { uv_async_send(&async_); }

CoreLoop::TimerId CoreLoop::schedule(Nanos at, std::function<void()> function) {
  const TimerId id = next_timer_++;
  timers_.emplace(at, Timer{id, std::move(function)});
  look_by(at);
  return id;
}

void CoreLoop::cancel(TimerId id) {
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->second.id == id) {
      timers_.erase(it);
      return;
    }
  }
}

void CoreLoop::set_scan(std::function<Nanos(Nanos)> scan) {
  scan_ = std::move(scan);
  look_at_timers();
}

void CoreLoop::look_at_timers() {
  // While it looks, whoever arms something must not rely on the look that is under way.
  next_look_.store(kNever, std::memory_order_seq_cst);
  const Nanos now = clock_->now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    auto node = timers_.extract(timers_.begin());
    node.mapped().function();
  }
  Nanos next = scan_ ? scan_(now) : kNever;
  if (!timers_.empty() && timers_.begin()->first < next) next = timers_.begin()->first;
  look_by(next);
}

bool CoreLoop::run_posted() {
  Posted* items = posted_.exchange(nullptr, std::memory_order_seq_cst);
  if (items == nullptr) return false;
  Posted* ordered = nullptr;
  while (items != nullptr) {
    Posted* next = items->next_;
    items->next_ = ordered;
    ordered = items;
    items = next;
  }
  while (ordered != nullptr) {
    Posted* next = ordered->next_;
    ordered->run();
    ordered = next;
  }
  return true;
}

// Spins until something is posted (true) or the time is up.
bool CoreLoop::wait_for_post(Nanos until) {
  if (!Spinners::try_enter()) return posted_.load(std::memory_order_acquire) != nullptr;
  waiting_.store(Waiting::kSpinning, std::memory_order_seq_cst);
  bool seen = false;
  do {
    for (int i = 0; i < 32 && !seen; ++i) {
      seen = posted_.load(std::memory_order_seq_cst) != nullptr;
      if (!seen) pause_briefly();
    }
  } while (!seen && clock_->now() < until);
  Waiting expected = Waiting::kSpinning;
  if (waiting_.compare_exchange_strong(expected, Waiting::kNot)) Spinners::leave();
  return seen;
}

// Runs what is posted, and what is posted soon after that. True when more is likely to come.
bool CoreLoop::run_what_comes() {
  for (int round = 0; round < kRounds; ++round) {
    const bool has_run = run_posted();
    if (posted_.load(std::memory_order_relaxed) != nullptr) continue;
    const Nanos spin = spin_time_ && clock_->runs_by_itself() ? spin_time_(has_run) : 0;
    if (spin == 0) return false;
    if (spin_skip_ > 0) {
      --spin_skip_;
      return false;
    }
    if (!wait_for_post(clock_->now() + spin)) {
      spin_skip_ = spin_penalty_;
      if (spin_penalty_ < kMaxPenalty) spin_penalty_ *= 2;
      return false;
    }
    spin_penalty_ = 1;
  }
  return true;
}

// Runs right before uv polls: decides whether the poll may sleep, and until when.
void CoreLoop::before_sleep() {
  const bool goes_on = run_what_comes();
  if (clock_->now() >= next_look_.load(std::memory_order_relaxed)) look_at_timers();

  waiting_.store(Waiting::kPolling, std::memory_order_seq_cst);
  if (goes_on || posted_.load(std::memory_order_seq_cst) != nullptr ||
      stopping_.load(std::memory_order_seq_cst)) {
    wake();  // the poll returns at once
    return;
  }
  if (!clock_->runs_by_itself()) return;
  const Nanos next = next_look_.load(std::memory_order_seq_cst);
  if (next == kNever) {
    uv_timer_stop(&timer_);
    return;
  }
  // uv's timers count milliseconds from a cached time; round up so that the look finds its timers due.
  uv_update_time(&loop_);
  const Nanos left = next - clock_->now();
  const std::uint64_t ms = left <= 0 ? 0 : static_cast<std::uint64_t>((left + 999'999) / 1'000'000);
  uv_timer_start(
      &timer_, [](uv_timer_t*) {}, ms, 0);
}

void CoreLoop::run() {
  pthread_setname_np(pthread_self(), "lambed-loop");
  // Writing to a socket whose reader is gone is an ordinary error here; the signal would end the whole application, since
  // embedded interpreters do not ignore it.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  thread_id_.store(std::this_thread::get_id(), std::memory_order_release);
  while (!stopping_.load(std::memory_order_seq_cst)) uv_run(&loop_, UV_RUN_ONCE);
  // What was posted before stop() is still owed.
  for (;;) {
    Posted* expected = nullptr;
    if (posted_.compare_exchange_strong(expected, kClosed, std::memory_order_seq_cst)) break;
    run_posted();
  }
  if (watch_ != 0) clock_->unwatch(watch_);
  // What is still scheduled will not run, and may own what owns this loop.
  std::exchange(timers_, {}).clear();
  scan_ = nullptr;
  spin_time_ = nullptr;
  {
    std::lock_guard lock(ended_mutex_);
    ended_ = true;
  }
  ended_changed_.notify_all();
}

void CoreLoop::stop() {
  if (!stopping_.exchange(true, std::memory_order_seq_cst)) wake();
  if (on_loop_thread()) return;
  std::unique_lock lock(ended_mutex_);
  ended_changed_.wait(lock, [this] { return ended_; });
}

}  // namespace lambed
