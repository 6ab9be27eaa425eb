#include "soak/observation.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

namespace lambed::soak {

std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  std::error_code ended;  // a thread may end while we look
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ended)) {
    std::string name;
    // Ruby keeps threads that have ended for its next ones, for a minute. It names them after a file and a line.
    if (std::ifstream file(entry.path() / "comm");
        std::getline(file, name) && name.find(".rb") == std::string::npos)
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

long resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

Allocated allocated_kb() {
  const auto info = mallinfo2();
  return {static_cast<long>((info.uordblks + info.hblkhd) / 1024), static_cast<long>(info.fordblks / 1024)};
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Curve::Curve(std::function<std::optional<double>()> measure) {
  thread_ = std::thread([this, measure = std::move(measure)] {
    while (!stopping_.load()) {
      samples_.push_back(measure());
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
  });
}

void Curve::stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

std::vector<double> Curve::of_quarter(int which) const {
  const auto size = static_cast<std::ptrdiff_t>(samples_.size());
  std::vector<double> values;
  for (auto at = samples_.begin() + size * which / 4; at != samples_.begin() + size * (which + 1) / 4; ++at)
    if (*at) values.push_back(**at);
  return values;
}

}  // namespace lambed::soak
