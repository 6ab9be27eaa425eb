// Time, injected. Nothing else in the core asks the system what time it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace lambed {

// Nanoseconds of a monotonic clock. Only differences mean anything.
using Nanos = std::int64_t;
inline constexpr Nanos kNever = INT64_MAX;

template <typename Rep, typename Period>
constexpr Nanos to_nanos(std::chrono::duration<Rep, Period> d) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos now() const = 0;
  virtual std::chrono::system_clock::time_point wall() const = 0;

  // A clock that does not advance by itself calls `changed` after each jump, so that whoever sleeps can look again;
  // for one that does, sleeping on the system's timers is right and this does nothing.
  virtual bool runs_by_itself() const { return true; }
  virtual int watch(std::function<void()> changed);
  virtual void unwatch(int id);
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
 public:
  Nanos now() const override;
  std::chrono::system_clock::time_point wall() const override;
};

// Stands still until told otherwise; thousands of hours pass in a moment.
class SimulatedClock final : public Clock {
 public:
  Nanos now() const override;
  std::chrono::system_clock::time_point wall() const override;
  bool runs_by_itself() const override { return false; }
  int watch(std::function<void()> changed) override;
  void unwatch(int id) override;
  // Moves on and tells the watchers, in this thread.
  void advance(std::chrono::nanoseconds by);

 private:
  mutable std::mutex mutex_;  // guards what follows
  Nanos now_ = 1'000'000'000;
  int next_id_ = 1;
  std::map<int, std::function<void()>> watchers_;
};

}  // namespace lambed
