// What the kernel says about this process.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

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

// Measures something forty times a second until it is stopped. A measure may have nothing to say at the moment.
class Curve {
 public:
  explicit Curve(std::function<std::optional<double>()> measure);
  ~Curve() { stop(); }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;
  void stop();
  // Median of the quarter 0 to 3, and how many samples it has. After stop.
  double quarter(int which) const { return median(of_quarter(which)); }
  std::size_t samples(int which) const { return of_quarter(which).size(); }

 private:
  std::atomic<bool> stopping_{false};
  std::vector<double> of_quarter(int which) const;

  std::vector<std::optional<double>> samples_;
  std::thread thread_;
};

}  // namespace lambed::soak
