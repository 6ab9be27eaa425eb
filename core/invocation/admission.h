// Admission: may one more invocation run? Account and reserved concurrency, as Lambda counts them.
//
// Threads: everything is atomic; any thread.
#pragma once

#include <atomic>
#include <optional>

#include "base/result.h"
#include "telemetry/meter.h"

namespace lambed::invocation {

// What lives as long as a function does, whatever its versions: its running count and its meter.
struct FunctionState {
  std::atomic<int> in_flight{0};
  telemetry::Meter meter;
};

// The account's concurrency: a limit, of which reserved parts are set aside.
class AccountConcurrency {
 public:
  explicit AccountConcurrency(int limit) : limit_(limit) {}

  // Takes a place for one invocation of `function`, which has `reserved` places of its own or shares the unreserved rest.
  // 429 TooManyRequestsException with its Reason when there is none. Every admit is followed by one release.
  Result<void> admit(FunctionState& function, std::optional<int> reserved);
  void release(FunctionState& function, bool was_reserved);

  // Invocations that are under way now, those not counted that have places of their own.
  int in_flight() const { return unreserved_in_flight_.load(std::memory_order_relaxed); }

  // A function's reservation has changed by so many.
  void change_reserved(int by) { reserved_.fetch_add(by, std::memory_order_relaxed); }

 private:
  const int limit_;
  std::atomic<int> reserved_{0};
  std::atomic<int> unreserved_in_flight_{0};
};

}  // namespace lambed::invocation
