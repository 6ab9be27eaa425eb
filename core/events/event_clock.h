// Wall time that never goes back or jumps while the process lives: what is stored for the next process, computed from the monotonic
// clock that timers run on. A value; any thread.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "events/queue.h"

namespace lambed::events {

class EventClock {
 public:
  explicit EventClock(const Clock& clock)
      : clock_(clock), offset_(to_nanos(clock.wall().time_since_epoch()) - clock.now()) {}

  Millis now() const { return (offset_ + clock_.now()) / 1'000'000; }
  // The first moment at which now() is `millis`.
  Nanos moment_of(Millis millis) const { return millis == kNotDue ? kNever : millis * 1'000'000 - offset_; }
  static std::chrono::system_clock::time_point time_of(Millis millis) {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(millis));
  }

 private:
  const Clock& clock_;
  const Nanos offset_;
};

}  // namespace lambed::events
