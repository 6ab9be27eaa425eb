// A function's meter: what it has used, in the billing step of the gateway's quotas.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "lambed/telemetry.h"

namespace lambed::telemetry {

// `duration` rounded up to whole steps; whatever ran costs at least one step.
std::chrono::milliseconds billed_duration(std::chrono::nanoseconds duration, std::chrono::milliseconds step);

// One invocation that reached an environment.
struct MeteredInvocation {
  std::chrono::milliseconds billed_duration{};
  int memory_size_mb = 0;
  bool cold_start = false;
  bool failed = false;     // a function error, timeouts included
  bool timed_out = false;  // implies failed
};

// Any thread, no lock: every member is a counter of its own, so a reading taken while invocations end may be
// one invocation ahead in one member and not yet in another.
class Meter {
 public:
  void count(const MeteredInvocation& invocation) noexcept;
  void count_throttle() noexcept { throttles_.fetch_add(1, std::memory_order_relaxed); }
  FunctionUsage read() const noexcept;

 private:
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint64_t> timeouts_{0};
  std::atomic<std::uint64_t> throttles_{0};
  std::atomic<std::uint64_t> cold_starts_{0};
  std::atomic<std::uint64_t> megabyte_milliseconds_{0};
};

}  // namespace lambed::telemetry
