#include "invocation/services.h"

namespace lambed::invocation {

void EnvironmentCounts::change(int open, int abandoned) {
  {
    std::lock_guard lock(mutex_);
    open_ += open;
    abandoned_ += abandoned;
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

bool EnvironmentCounts::wait_until_closed(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return open_ <= abandoned_; });
}

Services::Services(const GatewayOptions& gateway_options)
    : options(gateway_options),
      clock(options.clock != nullptr ? options.clock : std::make_shared<SystemClock>()),
      random(options.random != nullptr ? options.random : std::make_shared<SystemRandom>()),
      sink(options.log_sink != nullptr ? options.log_sink : make_stderr_sink()),
      loop(CoreLoop::start(clock)),
      account(options.quotas.account_concurrency) {}

}  // namespace lambed::invocation
