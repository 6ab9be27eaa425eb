#include "base/clock.h"

#include <ctime>

namespace lambed {

int Clock::watch(std::function<void()>) { return 0; }
void Clock::unwatch(int) {}

Nanos SystemClock::now() const {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

std::chrono::system_clock::time_point SystemClock::wall() const { return std::chrono::system_clock::now(); }

Nanos SimulatedClock::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

std::chrono::system_clock::time_point SimulatedClock::wall() const {
  // 2025-01-01T00:00:00Z, so that log lines of a simulated run are the same every time.
  return std::chrono::system_clock::time_point(std::chrono::seconds(1'735'689'600)) +
         std::chrono::nanoseconds(now());
}

int SimulatedClock::watch(std::function<void()> changed) {
  std::lock_guard lock(mutex_);
  watchers_.emplace(next_id_, std::move(changed));
  return next_id_++;
}

void SimulatedClock::unwatch(int id) {
  std::lock_guard lock(mutex_);
  watchers_.erase(id);
}

void SimulatedClock::advance(std::chrono::nanoseconds by) {
  std::lock_guard lock(mutex_);
  now_ += by.count();
  for (auto& [id, changed] : watchers_) changed();
}

}  // namespace lambed
