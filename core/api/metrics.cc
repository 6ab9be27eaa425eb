#include "api/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace lambed::api {
namespace {

// So many kinds of error are told apart for a function: a handler chooses their names.
constexpr std::size_t kMostErrorTypes = 20;

// "errorType":"X" of the error document, found without parsing it: Python and Ruby write it, Node.js too.
std::string error_type_of(const std::string& document) {
  const auto at = document.find("\"errorType\"");
  if (at == std::string::npos) return "unknown";
  const auto open = document.find('"', at + 11);
  const auto close = open == std::string::npos ? open : document.find('"', open + 1);
  if (close == std::string::npos || close - open > 100) return "unknown";
  return document.substr(open + 1, close - open - 1);
}

}  // namespace

std::string label(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

InvocationMetrics::OfFunction& InvocationMetrics::of(const std::string& function) {
  std::lock_guard lock(mutex_);
  auto& found = functions_[function];
  if (found == nullptr) found = std::make_unique<OfFunction>();
  return *found;
}

void InvocationMetrics::count(const std::string& function, const InvokeResult& result) {
  OfFunction& metrics = of(function);
  constexpr auto relaxed = std::memory_order_relaxed;
  if (result.error) {
    if (result.error->code() == ErrorCode::TooManyRequestsException) metrics.throttles.fetch_add(1, relaxed);
    return;
  }
  metrics.invocations.fetch_add(1, relaxed);
  if (result.report.init_duration.count() > 0) metrics.cold_starts.fetch_add(1, relaxed);
  const auto ns = static_cast<std::uint64_t>(result.report.duration.count());
  metrics.sum_ns.fetch_add(ns, relaxed);
  const double seconds = static_cast<double>(ns) / 1e9;
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  metrics.buckets[static_cast<std::size_t>(bound)].fetch_add(1, relaxed);
  if (result.function_error.empty()) return;
  std::string type = error_type_of(result.payload);
  std::lock_guard lock(metrics.mutex);
  if (metrics.errors.count(type) == 0 && metrics.errors.size() >= kMostErrorTypes) type = "other";
  ++metrics.errors[type];
}

void InvocationMetrics::append_to(std::string& text) const {
  std::lock_guard lock(mutex_);
  const auto out = std::back_inserter(text);
  const auto family = [&](const char* name, const char* type, const char* help, auto lines) {
    fmt::format_to(out, "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    for (const auto& [function, metrics] : functions_) lines(label(function), *metrics);
  };
  family("lambed_invocations_total", "counter", "Invocations that reached a handler or its time limit.",
         [&](const std::string& f, OfFunction& m) {
           fmt::format_to(out, "lambed_invocations_total{{function={}}} {}\n", f, m.invocations.load());
         });
  family("lambed_errors_total", "counter", "Function errors by errorType.",
         [&](const std::string& f, OfFunction& m) {
           std::lock_guard errors(m.mutex);
           for (const auto& [type, count] : m.errors) {
             fmt::format_to(out, "lambed_errors_total{{function={},type={}}} {}\n", f, label(type), count);
           }
         });
  family("lambed_throttles_total", "counter", "Invocations answered 429.",
         [&](const std::string& f, OfFunction& m) {
           fmt::format_to(out, "lambed_throttles_total{{function={}}} {}\n", f, m.throttles.load());
         });
  family("lambed_cold_starts_total", "counter", "Invocations that opened their environment.",
         [&](const std::string& f, OfFunction& m) {
           fmt::format_to(out, "lambed_cold_starts_total{{function={}}} {}\n", f, m.cold_starts.load());
         });
  family("lambed_duration_seconds", "histogram", "Duration of handlers.",
         [&](const std::string& f, OfFunction& m) {
           std::uint64_t below = 0;
           for (std::size_t i = 0; i < kBounds.size(); ++i) {
             below += m.buckets[i].load();
             fmt::format_to(out, "lambed_duration_seconds_bucket{{function={},le=\"{}\"}} {}\n", f,
                            kBounds[i], below);
           }
           below += m.buckets[kBounds.size()].load();
           fmt::format_to(out, "lambed_duration_seconds_bucket{{function={},le=\"+Inf\"}} {}\n", f, below);
           fmt::format_to(out, "lambed_duration_seconds_sum{{function={}}} {}\n", f,
                          static_cast<double>(m.sum_ns.load()) / 1e9);
           fmt::format_to(out, "lambed_duration_seconds_count{{function={}}} {}\n", f, below);
         });
}

}  // namespace lambed::api
