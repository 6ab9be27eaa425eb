#include "telemetry/meter.h"

#include <algorithm>

namespace lambed::telemetry {

std::chrono::milliseconds billed_duration(std::chrono::nanoseconds duration, std::chrono::milliseconds step) {
  const std::int64_t step_ns = std::chrono::nanoseconds(step).count();
  const std::int64_t steps = (duration.count() + step_ns - 1) / step_ns;
  return step * std::max<std::int64_t>(steps, 1);
}

void Meter::count(const MeteredInvocation& invocation) noexcept {
  const auto billed = static_cast<std::uint64_t>(invocation.billed_duration.count());
  const auto memory = static_cast<std::uint64_t>(invocation.memory_size_mb);
  requests_.fetch_add(1, std::memory_order_relaxed);
  megabyte_milliseconds_.fetch_add(billed * memory, std::memory_order_relaxed);
  if (invocation.cold_start) cold_starts_.fetch_add(1, std::memory_order_relaxed);
  if (invocation.failed) errors_.fetch_add(1, std::memory_order_relaxed);
  if (invocation.timed_out) timeouts_.fetch_add(1, std::memory_order_relaxed);
}

FunctionUsage Meter::read() const noexcept {
  FunctionUsage usage;
  usage.requests = requests_.load(std::memory_order_relaxed);
  usage.errors = errors_.load(std::memory_order_relaxed);
  usage.timeouts = timeouts_.load(std::memory_order_relaxed);
  usage.throttles = throttles_.load(std::memory_order_relaxed);
  usage.cold_starts = cold_starts_.load(std::memory_order_relaxed);
  usage.gb_milliseconds_x1024 = megabyte_milliseconds_.load(std::memory_order_relaxed);
  return usage;
}

}  // namespace lambed::telemetry
