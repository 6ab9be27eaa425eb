// What the parts of one gateway's engine share. Made by the Engine, outlives it while an abandoned environment lives.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/ids.h"
#include "base/loop.h"
#include "environments/host_registry.h"
#include "invocation/admission.h"
#include "invocation/invocation.h"
#include "invocation/opener.h"
#include "lambed/gateway.h"
#include "model/networks.h"

namespace lambed::invocation {

// Environments of all pools. Changes on cold paths only.
class EnvironmentCounts {
 public:
  void opened() { change(1, nullptr, 0); }
  void closed() {
    has_closed_.store(true);
    change(-1, nullptr, 0);
  }
  // Whether some have been closed since this was asked last.
  bool have_closed() { return has_closed_.exchange(false); }
  bool may_have_closed() const { return has_closed_.load(std::memory_order_relaxed); }
  void abandoned(const environments::Host& host) { change(0, &host, 1); }
  void came_back(const environments::Host& host) { change(0, &host, -1); }  // it has ended after all

  int open() const;
  int abandoned_now() const;
  // As they count for max_abandoned_environments: those of a VM that all functions of a language share count as one. That VM
  // is given up as a whole, and refuses work itself; what goes down with it must not keep other languages from working.
  int abandoned_that_count() const;
  // Until only abandoned environments are left, or `timeout` has passed (false).
  bool wait_until_closed(std::chrono::milliseconds timeout);

 private:
  void change(int open, const environments::Host* host, int abandoned);

  mutable std::mutex mutex_;  // guards the counts
  std::condition_variable changed_;
  std::atomic<bool> has_closed_{false};
  int open_ = 0;
  int abandoned_ = 0;
  std::map<const environments::Host*, int> abandoned_by_host_;
};

struct Services {
  explicit Services(const GatewayOptions& gateway_options);

  const GatewayOptions options;
  const model::Networks networks;
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
  // Pools that keep environments open, whether or not they have them: what failed to open is tried again when the loop looks.
  std::atomic<int> warm_pools{0};
  // Something was armed since the core loop last looked; see CoreLoop::kAttention.
  std::atomic<bool> attentive{false};

  // How long to spin for a word while `own` of the invocations under way are the waiter's.
  Nanos spin_time(int own) const {
    return account.in_flight() > own ? Parker::kSpinAmongOthers : Parker::kSpin;
  }

  // Arms `invocation` and makes sure the loop looks in time.
  void arm(Invocation& invocation, Nanos deadline) {
    invocation.deadline.store(deadline, std::memory_order_seq_cst);
    if (!attentive.load(std::memory_order_relaxed)) attentive.store(true, std::memory_order_relaxed);
    loop->wake_by(deadline);
  }
};

}  // namespace lambed::invocation
