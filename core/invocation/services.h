// What the parts of one gateway's engine share. Made by the Engine, outlives it while an abandoned environment lives.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/ids.h"
#include "base/loop.h"
#include "invocation/admission.h"
#include "invocation/invocation.h"
#include "invocation/opener.h"
#include "lambed/gateway.h"

namespace lambed::invocation {

// Environments of all pools. Changes on cold paths only.
class EnvironmentCounts {
 public:
  void opened() { change(1, 0); }
  void closed() { change(-1, 0); }
  void abandoned() { change(0, 1); }
  void came_back() { change(0, -1); }  // an abandoned one has ended after all

  int open() const;
  int abandoned_now() const;
  // Until only abandoned environments are left, or `timeout` has passed (false).
  bool wait_until_closed(std::chrono::milliseconds timeout);

 private:
  void change(int open, int abandoned);

  mutable std::mutex mutex_;  // guards the counts
  std::condition_variable changed_;
  int open_ = 0;
  int abandoned_ = 0;
};

struct Services {
  explicit Services(const GatewayOptions& gateway_options);

  const GatewayOptions options;
  const std::shared_ptr<Clock> clock;
  const std::shared_ptr<Random> random;
  const std::shared_ptr<LogSink> sink;
  const std::shared_ptr<CoreLoop> loop;
  InvocationTable table;
  AccountConcurrency account;
  EnvironmentCounts environments;
  Opener opener;
  std::atomic<bool> closing{false};
  std::atomic<std::uint64_t> late_completions{0};
  // Something was armed since the core loop last looked; see CoreLoop::kAttention.
  std::atomic<bool> attentive{false};

  // Arms `invocation` and makes sure the loop looks in time.
  void arm(Invocation& invocation, Nanos deadline) {
    invocation.deadline.store(deadline, std::memory_order_seq_cst);
    if (!attentive.load(std::memory_order_relaxed)) attentive.store(true, std::memory_order_relaxed);
    loop->wake_by(deadline);
  }
};

}  // namespace lambed::invocation
