#include "invocation/admission.h"

namespace lambed::invocation {
namespace {

// Adds one unless there are as many already. Whoever is refused must not be counted meanwhile: that would refuse others, too.
bool take_place(std::atomic<int>& taken, int places) {
  int known = taken.load(std::memory_order_relaxed);
  do {
    if (known >= places) return false;
  } while (!taken.compare_exchange_weak(known, known + 1, std::memory_order_relaxed));
  return true;
}

Error throttled(const char* reason) {
  return Error(ErrorCode::TooManyRequestsException, "Rate Exceeded.", reason);
}

}  // namespace

Result<void> AccountConcurrency::admit(FunctionState& function, std::optional<int> reserved) {
  if (reserved) {
    if (take_place(function.in_flight, *reserved)) return {};
    function.meter.count_throttle();
    return throttled("ReservedFunctionConcurrentInvocationLimitExceeded");
  }
  if (!take_place(unreserved_in_flight_, limit_ - reserved_.load(std::memory_order_relaxed))) {
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
