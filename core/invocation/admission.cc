#include "invocation/admission.h"

namespace lambed::invocation {
namespace {

Error throttled(const char* reason) {
  return Error(ErrorCode::TooManyRequestsException, "Rate Exceeded.", reason);
}

}  // namespace

Result<void> AccountConcurrency::admit(FunctionState& function, std::optional<int> reserved) {
  if (reserved) {
    int running = function.in_flight.load(std::memory_order_relaxed);
    do {
      if (running >= *reserved) {
        function.meter.count_throttle();
        return throttled("ReservedFunctionConcurrentInvocationLimitExceeded");
      }
    } while (!function.in_flight.compare_exchange_weak(running, running + 1, std::memory_order_relaxed));
    return {};
  }
  const int unreserved = limit_ - reserved_.load(std::memory_order_relaxed);
  if (unreserved_in_flight_.fetch_add(1, std::memory_order_relaxed) >= unreserved) {
    unreserved_in_flight_.fetch_sub(1, std::memory_order_relaxed);
    function.meter.count_throttle();
    return throttled("ConcurrentInvocationLimitExceeded");
  }
  function.in_flight.fetch_add(1, std::memory_order_relaxed);
  return {};
}

void AccountConcurrency::release(FunctionState& function, bool was_reserved) {
  function.in_flight.fetch_sub(1, std::memory_order_relaxed);
  if (!was_reserved) unreserved_in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace lambed::invocation
