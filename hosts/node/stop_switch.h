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
  void arm(uint64_t token) {
    std::lock_guard lock(mutex_);
    token_ = token;
    is_armed_ = true;
  }
  // Nothing runs any more. Returns whether it was asked to stop: then the environment must not be used again.
  bool disarm() {
    std::lock_guard lock(mutex_);
    is_armed_ = false;
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
    std::lock_guard lock(mutex_);
    if (!is_armed_ || token != token_) return LAMBED_INTERRUPT_STOPPED;
    was_asked_ = true;
    stop_locked();
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

  std::mutex mutex_;  // guards all below, and environment_ against being freed during node::Stop
  node::Environment* environment_ = nullptr;
  uint64_t token_ = 0;
  bool is_armed_ = false;
  bool was_asked_ = false;
  std::atomic<bool> is_stopping_{false};
};

}  // namespace lambed::node_host
#endif
