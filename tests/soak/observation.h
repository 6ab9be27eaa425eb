// What the kernel says about this process.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "soak/flatness.h"

namespace lambed::soak {

// Names of the threads of this process, sorted.
std::vector<std::string> thread_names();
// Names of all processes that this one and its children have started, dead ones that nobody has waited for included.
std::vector<std::string> processes_below();
// Children of this process, whatever they have below them: the launchers.
std::size_t children();
// Control groups of the workers of this process.
std::size_t control_groups();
long resident_kb();
// What the C library's allocator has given out, and what it keeps free for later, in kB.
struct Allocated {
  long in_use = 0;
  long kept = 0;
};
Allocated allocated_kb();
double processor_seconds();
double median(std::vector<double> values);

// Of Python, Node.js and Ruby, by the threads of this process: each has one there, but for those that run in workers.
std::array<double, kCounted> environments_here();

// Measures the memory forty times a second until it is stopped, whenever `is_time` says that it tells something. Its own thread
// has all of it until then.
class MemoryCurve {
 public:
  MemoryCurve(std::chrono::nanoseconds duration, std::function<bool()> is_time);
  ~MemoryCurve() { stop(); }
  MemoryCurve(const MemoryCurve&) = delete;
  MemoryCurve& operator=(const MemoryCurve&) = delete;
  void stop();
  // After stop.
  const std::vector<MemorySample>& samples() const { return samples_; }

 private:
  std::atomic<bool> stopping_{false};
  std::vector<MemorySample> samples_;
  std::thread thread_;
};

}  // namespace lambed::soak
