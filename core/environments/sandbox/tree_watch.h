// Limits by watching, where there are no control groups: memory by the kernel's figures every 10 ms, the share of the processor
// by stopping and continuing the tree. Both can be overrun for that long. Also freezes, by SIGSTOP. For init.
#pragma once

#include <chrono>
#include <cstdint>

#include "environments/sandbox/process_tree.h"
#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

class TreeWatch {
 public:
  static constexpr int kInterval = 10;  // milliseconds

  TreeWatch(bool own_namespace, const Limits& limits) : tree_(own_namespace), limits_(limits) {}

  // To be called about every kInterval. False: the memory limit is passed.
  bool look();
  void limit_memory(std::uint64_t bytes) { limits_.memory_bytes = bytes; }
  void limit_cpu(double cores) { cores_ = cores; }
  void freeze(bool frozen);

  std::uint64_t memory_now() const { return memory_; }
  std::uint64_t memory_peak() const { return peak_; }

 private:
  void share_cpu();
  void stop(bool stopped);

  ProcessTree tree_;
  Limits limits_;
  double cores_ = 0;  // 0: no limit
  bool frozen_ = false;
  bool held_ = false;  // stopped since its share is used up
  double credit_ms_ = 0;
  std::chrono::milliseconds used_{0};
  std::chrono::steady_clock::time_point looked_{};
  std::uint64_t memory_ = 0, peak_ = 0;
};

}  // namespace lambed::sandbox
