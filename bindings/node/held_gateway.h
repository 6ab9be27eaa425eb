// A gateway that is let go of when it is closed, and not when node collects what refers to it: it has files of its own.
#ifndef LAMBED_BINDINGS_NODE_HELD_GATEWAY_H
#define LAMBED_BINDINGS_NODE_HELD_GATEWAY_H

#include <lambed/gateway.h>

#include <memory>
#include <mutex>
#include <utility>

namespace lambed::node_binding {

// Every method from any thread.
class HeldGateway {
 public:
  explicit HeldGateway(GatewayOptions options) : gateway_(std::make_shared<Gateway>(std::move(options))) {}

  // Null once it is closed.
  std::shared_ptr<Gateway> get() const {
    const std::lock_guard lock(mutex_);
    return gateway_;
  }

  // Closes it, waits for that, and lets go of it.
  void close() {
    const std::shared_ptr<Gateway> gateway = get();
    if (gateway == nullptr) return;
    gateway->close();
    const GatewayStatus status = gateway->status();
    const std::lock_guard lock(mutex_);
    last_status_ = status;
    gateway_.reset();
  }

  GatewayStatus status() const {
    if (const std::shared_ptr<Gateway> gateway = get()) return gateway->status();
    const std::lock_guard lock(mutex_);
    return last_status_;
  }

 private:
  mutable std::mutex mutex_;  // guards both
  std::shared_ptr<Gateway> gateway_;
  GatewayStatus last_status_;  // when it was closed
};

}  // namespace lambed::node_binding
#endif
