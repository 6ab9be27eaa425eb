// What /metrics tells of invocations: counters and duration histograms per function, in Prometheus' text format.
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "lambed/invoke.h"

namespace lambed::api {

class InvocationMetrics {
 public:
  // `function`: its ARN. Functions that were never invoked have no lines.
  void count(const std::string& function, const InvokeResult& result);
  void append_to(std::string& text) const;

 private:
  static constexpr std::array<double, 15> kBounds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};
  struct OfFunction {
    std::atomic<std::uint64_t> invocations{0}, throttles{0}, cold_starts{0}, sum_ns{0};
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets{};
    std::mutex mutex;                             // guards errors
    std::map<std::string, std::uint64_t> errors;  // by errorType
  };
  OfFunction& of(const std::string& function);

  mutable std::mutex mutex_;  // guards functions_, whose values stay
  std::map<std::string, std::unique_ptr<OfFunction>> functions_;
};

std::string label(std::string_view value);  // escaped, in quotes

}  // namespace lambed::api
