// CoreLoop: the one thread of a gateway that owns timers and I/O.
//
// Threads: `post`, `wake_by` and `on_loop_thread` may be called from any thread; everything else, and every function handed
// in, runs on the loop's thread. Functions must not block and must not throw.
// Life: start() -> stop() (finishes what is posted, drops what is scheduled, then ends the thread). post() after stop() is
// refused. The thread shares the ownership of its loop, so letting go of the last reference is safe everywhere, also in a
// function that the loop runs.
#pragma once

#include <uv.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace lambed {

// Something to be run on the loop. Intrusive, so that an object which is posted often needs no allocation.
class Posted {
 public:
  virtual ~Posted() = default;
  virtual void run() = 0;  // on the loop's thread; may destroy *this

 private:
  friend class CoreLoop;
  Posted* next_ = nullptr;
};

class CoreLoop : public std::enable_shared_from_this<CoreLoop> {
 public:
  using TimerId = std::uint64_t;

  static std::shared_ptr<CoreLoop> start(std::shared_ptr<Clock> clock);
  ~CoreLoop();
  CoreLoop(const CoreLoop&) = delete;
  CoreLoop& operator=(const CoreLoop&) = delete;

  // False when the loop has stopped: then nothing was taken over.
  bool post(Posted* item);
  bool post(std::function<void()> function);

  // Loop thread only, for sockets. Whoever opens handles on it closes them, and lets the loop run their callbacks, before
  // stop().
  uv_loop_t* uv() { return &loop_; }

  // Loop thread only. Runs `function` once, not before `at`.
  TimerId schedule(Nanos at, std::function<void()> function);
  void cancel(TimerId id);

  // Loop thread only, once. `scan` is called whenever the loop looks at its timers; it does what is due and returns when it
  // wants to be called next.
  void set_scan(std::function<Nanos(Nanos now)> scan);
  // Loop thread only, once. How long the loop looks out for what is posted before it sleeps; asked each time, with whether
  // something posted has just run. A caller who answers a callback with the next call finds it awake. Without this, and at 0, it
  // sleeps at once. It sees no socket meanwhile.
  void set_spin_time(std::function<Nanos(bool)> spin_time) { spin_time_ = std::move(spin_time); }
  // Makes sure that scan is called no later than `at`. Any thread; costs a system call only when the loop would otherwise
  // sleep past it, which it does not while calls keep coming: after a scan it looks again within kAttention.
  void wake_by(Nanos at) {
    // The loop says that it sleeps before it reads next_look_ for the last time: one of the two sees the other.
    if (look_by(at) && waiting_.load(std::memory_order_seq_cst) == Waiting::kPolling) wake();
  }
  // The loop does not sleep longer than this for as long as something was armed since it last looked. One second is the
  // shortest timeout a function can have, so arming a deadline finds the loop attentive already.
  static constexpr Nanos kAttention = 1'000'000'000;

  bool on_loop_thread() const {
    return std::this_thread::get_id() == thread_id_.load(std::memory_order_acquire);
  }
  // Any thread. Returns when the thread has ended, except on the loop's own thread, where it returns at once.
  void stop();

 private:
  explicit CoreLoop(std::shared_ptr<Clock> clock);

  struct Timer {
    TimerId id;
    std::function<void()> function;
  };

  void run();
  void wake();
  // Brings the next look forward to `at`, never back: whoever arms something while a look is under way is not forgotten.
  // False when the loop looks by then anyway.
  bool look_by(Nanos at) {
    Nanos next = next_look_.load(std::memory_order_seq_cst);
    while (at < next) {
      if (next_look_.compare_exchange_weak(next, at, std::memory_order_seq_cst)) return true;
    }
    return false;
  }
  bool run_posted();
  void look_at_timers();
  void before_sleep();
  bool run_what_comes();
  bool wait_for_post(Nanos until);

  const std::shared_ptr<Clock> clock_;
  int watch_ = 0;
  uv_loop_t loop_{};
  uv_async_t async_{};
  uv_timer_t timer_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};

  // What whoever posts must do about the loop: nothing, strike it off the spinners, or wake it from uv's poll.
  enum class Waiting : std::uint8_t { kNot, kSpinning, kPolling };

  std::atomic<Posted*> posted_{nullptr};  // a stack; the loop takes it whole and turns it round
  std::atomic<Waiting> waiting_{Waiting::kNot};
  std::atomic<bool> stopping_{false};
  std::atomic<Nanos> next_look_{kNever};

  // Of the loop's thread:
  std::multimap<Nanos, Timer> timers_;
  TimerId next_timer_ = 1;
  std::function<Nanos(Nanos)> scan_;
  std::function<Nanos(bool)> spin_time_;
  int spin_penalty_ = 1;
  int spin_skip_ = 0;

  std::atomic<std::thread::id> thread_id_{};
  std::mutex ended_mutex_;  // guards ended_
  std::condition_variable ended_changed_;
  bool ended_ = false;
};

}  // namespace lambed
