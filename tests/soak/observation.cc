#include "soak/observation.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

namespace lambed::soak {

namespace fs = std::filesystem;

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

namespace {

struct Process {
  long parent = 0;
  std::string name;
};

std::map<long, Process> all_processes() {
  std::map<long, Process> all;
  std::error_code ended;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ended)) {
    const long id = std::atol(entry.path().filename().c_str());
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (id == 0 || !std::getline(file, line)) continue;
    // "17 (a name) S 1 ..."; a name may hold anything.
    const auto from = line.find('(');
    const auto to = line.rfind(')');
    if (from == std::string::npos || to == std::string::npos || to + 4 > line.size()) continue;
    all[id] = {std::atol(line.c_str() + to + 4), line.substr(from + 1, to - from - 1)};
  }
  return all;
}

}  // namespace

std::vector<std::string> processes_below() {
  const std::map<long, Process> all = all_processes();
  std::vector<std::string> names;
  for (const auto& [id, process] : all) {
    long above = process.parent;
    for (auto it = all.find(above); above != getpid() && it != all.end(); it = all.find(above))
      above = it->second.parent;
    if (above == getpid()) names.push_back(process.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::size_t children() {
  const std::map<long, Process> all = all_processes();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [](const auto& entry) { return entry.second.parent == getpid(); }));
}

std::size_t control_groups() {
  const std::map<long, Process> all = all_processes();
  std::vector<std::string> names;  // of the launchers' folders, as far as they are known
  for (const auto& [id, process] : all)
    if (process.parent == getpid()) names.push_back("lambed," + std::to_string(id) + ".");
  std::error_code ignored;
  std::vector<fs::path> rooms{"/sys/fs/cgroup/lambed"};
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", ignored))
    rooms.push_back(hierarchy.path() / "lambed");
  std::size_t count = 0;
  for (const fs::path& room : rooms) {
    for (const auto& folder : fs::directory_iterator(room, ignored)) {
      const std::string name = folder.path().filename();
      if (std::none_of(names.begin(), names.end(), [&](const auto& own) { return name.starts_with(own); }))
        continue;
      for (const auto& inner : fs::directory_iterator(folder.path(), ignored))
        count += inner.is_directory(ignored) ? 1 : 0;
    }
  }
  return count;
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

std::array<double, kCounted> environments_here() {
  std::array<double, kCounted> count = {};
  std::error_code ended;
  for (const auto& entry : fs::directory_iterator("/proc/self/task", ended)) {
    std::string name;
    if (std::ifstream file(entry.path() / "comm"); !std::getline(file, name)) continue;
    if (name == "lambed-python") ++count[0];
    if (name == "lambed-node") ++count[1];
    // Ruby names its threads after a file and a line.
    if (name.find(".rb") != std::string::npos) ++count[2];
  }
  return count;
}

MemoryCurve::MemoryCurve(std::chrono::nanoseconds duration, std::function<bool()> is_time) {
  thread_ = std::thread([this, duration, is_time = std::move(is_time)] {
    const auto begin = std::chrono::steady_clock::now();
    while (!stopping_.load()) {
      if (is_time()) {
        const std::chrono::nanoseconds since = std::chrono::steady_clock::now() - begin;
        samples_.push_back({static_cast<double>(since.count()) / static_cast<double>(duration.count()),
                            static_cast<double>(resident_kb()), environments_here()});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
  });
}

void MemoryCurve::stop() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

}  // namespace lambed::soak
