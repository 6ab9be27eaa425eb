// Stops what an environment runs, from any thread, and never anything else: not the next invocation, not an
// environment that is being freed.
#ifndef LAMBED_HOSTS_NODE_STOP_SWITCH_H
#define LAMBED_HOSTS_NODE_STOP_SWITCH_H

#include <lambed/host.h>

#include <atomic>
#include <cstdint>
#include <mutex>

#include "node_headers.h"

namespace lambed::node_host {

class StopSwitch {
 public:
  // The environment's thread: what runs from here on is `token` (0: init).
  void arm(uint64_t token) { running_.store(token << 2 | kArmed, std::memory_order_relaxed); }
  // Nothing runs any more. Returns whether it was asked to stop, now or ever: then the environment must not be used again.
  bool disarm() {
    if ((running_.exchange(0, std::memory_order_acq_rel) & kAsked) != 0) was_asked_ = true;
    return was_asked_;
  }
  // node::Environment exists from attach to detach; only in between may node::Stop be called.
  void attach(node::Environment* environment) {
    std::lock_guard lock(mutex_);
    environment_ = environment;
    if (is_stopping()) node::Stop(environment);
  }
  void detach() {
    std::lock_guard lock(mutex_);
    environment_ = nullptr;
  }

  lambed_interrupt interrupt(uint64_t token) {
    // Either this is noted before disarm looks, or nothing is stopped.
    uint64_t running = token << 2 | kArmed;
    if (!running_.compare_exchange_strong(running, running | kAsked, std::memory_order_acq_rel) &&
        running != (token << 2 | kArmed | kAsked)) {
      return LAMBED_INTERRUPT_STOPPED;
    }
    stop();
    return LAMBED_INTERRUPT_PENDING;
  }
  // Ends the environment from within: process.exit, out of memory. Any thread.
  void stop() {
    std::lock_guard lock(mutex_);
    stop_locked();
  }
  // Nothing more will run; only freeing is left.
  [[nodiscard]] bool is_stopping() const { return is_stopping_.load(std::memory_order_relaxed); }

 private:
  void stop_locked() {
    is_stopping_.store(true, std::memory_order_relaxed);
    // Not TerminateExecution: while a timer's callback runs, it ends the process ("async hook stack has
    // become corrupted").
    if (environment_ != nullptr) node::Stop(environment_);
  }

  static constexpr uint64_t kArmed = 2;
  static constexpr uint64_t kAsked = 1;

  std::atomic<uint64_t> running_{0};  // the token, whether it runs, whether it was asked to stop
  bool was_asked_ = false;            // of the environment's thread
  std::mutex mutex_;                  // guards environment_, against being freed during node::Stop
  node::Environment* environment_ = nullptr;
  std::atomic<bool> is_stopping_{false};
};

}  // namespace lambed::node_host
#endif
