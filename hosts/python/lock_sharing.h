// Fair turns at one GIL for several interpreters.
//
// Before 3.13 a thread that waits for the GIL asks for it in its own interpreter only. Whoever holds it in another one is never
// asked, and a loop there would keep all other environments, and a Python application around us, from running until it ends. So
// while more than one of them has something to run, a visitor from this host waits for the GIL inside each that has run for
// long, which makes it give the GIL up like any other thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace lambed::python {

// What can be asked to give up the GIL. Any thread may ask.
class LockHolder {
 public:
  virtual ~LockHolder() = default;
  // Asks if it has been running since the last call. Never blocks.
  virtual void give_way() = 0;
};

class LockSharing {
 public:
  static LockSharing& instance();
  // Once, when the host starts. Without it all else does nothing.
  void enable();

  void join(const std::shared_ptr<LockHolder>& holder);
  void part(const LockHolder* holder);
  // One more has something to run: a few nanoseconds.
  void enter() {
    if (!enabled_) return;
    if (running_.fetch_add(1) > 0 && asleep_.load()) wake();
  }
  void leave() {
    if (enabled_) running_.fetch_sub(1);
  }

  // An init takes the lock hundreds of times, since every file it reads and every module it looks for lets go of it. Each time it
  // waits for whoever came first. So those who are about to begin an invocation let inits go first, for a moment.
  void begin_init();
  void end_init();
  void let_inits_go_first() {
    if (inits_.load(std::memory_order_relaxed) > 0) wait_for_inits();
  }

 private:
  void wait_for_inits();
  void wake();
  void watch();

  bool enabled_ = false;  // written before the first environment exists
  std::atomic<int> running_{0};
  std::atomic<int> inits_{0};
  std::mutex inits_mutex_;  // orders changes of inits_ with those who wait for them
  std::condition_variable inits_changed_;
  std::chrono::steady_clock::time_point inits_until_;  // guarded by inits_mutex_
  std::atomic<bool> asleep_{true};
  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  bool has_thread_ = false;
  std::vector<std::shared_ptr<LockHolder>> holders_;
};

}  // namespace lambed::python
