// What the kernel says about this process.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace lambed::soak {

// Names of the threads of this process, sorted.
std::vector<std::string> thread_names();
long resident_kb();
double processor_seconds();
double median(std::vector<double> values);

// Samples resident memory until it is stopped.
class MemoryCurve {
 public:
  MemoryCurve();
  ~MemoryCurve() { stop(); }
  MemoryCurve(const MemoryCurve&) = delete;
  MemoryCurve& operator=(const MemoryCurve&) = delete;
  void stop();
  // Median of the quarter 0 to 3, in kB. After stop.
  double quarter(int which) const;

 private:
  std::atomic<bool> stopping_{false};
  std::vector<double> samples_;
  std::thread thread_;
};

}  // namespace lambed::soak
