#include "invocation/services.h"

#include <algorithm>

namespace lambed::invocation {

void EnvironmentCounts::change(int open, const environments::Host* host, int abandoned) {
  {
    std::lock_guard lock(mutex_);
    open_ += open;
    abandoned_ += abandoned;
    if (host != nullptr) abandoned_by_host_[host] += abandoned;
  }
  changed_.notify_all();
}

int EnvironmentCounts::open() const {
  std::lock_guard lock(mutex_);
  return open_;
}

int EnvironmentCounts::abandoned_now() const {
  std::lock_guard lock(mutex_);
  return abandoned_;
}

int EnvironmentCounts::abandoned_that_count() const {
  std::lock_guard lock(mutex_);
  int count = 0;
  for (const auto& [host, abandoned] : abandoned_by_host_)
    count += host->has(LAMBED_HOST_SHARED_NAMESPACE) ? std::min(abandoned, 1) : abandoned;
  return count;
}

bool EnvironmentCounts::wait_until_closed(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return open_ <= abandoned_; });
}

Services::Services(const GatewayOptions& gateway_options)
    : options(gateway_options),
      networks(model::Networks::of(options.networks).value()),
      clock(options.clock != nullptr ? options.clock : std::make_shared<SystemClock>()),
      random(options.random != nullptr ? options.random : std::make_shared<SystemRandom>()),
      sink(options.log_sink != nullptr ? options.log_sink : make_stderr_sink()),
      loop(CoreLoop::start(clock)),
      account(options.quotas.account_concurrency) {}

}  // namespace lambed::invocation
