#include "figures.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace bench {

double Samples::quantile_ns(double share) const {
  if (values_.empty()) return 0;
  std::vector<long long> sorted = values_;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
  std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
  return static_cast<double>(sorted[static_cast<std::size_t>(at)]);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), values.begin() + middle, values.end());
  return values[static_cast<std::size_t>(middle)];
}

std::string number_text(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string duration_text(double nanoseconds) {
  if (nanoseconds < 1e6) return number_text(nanoseconds / 1e3, 2) + " us";
  if (nanoseconds < 1e9) return number_text(nanoseconds / 1e6, 2) + " ms";
  return number_text(nanoseconds / 1e9, 2) + " s";
}

void Table::print() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string room(widths[i] - row[i].size(), ' ');
      if (i > 0) line += "  ";
      line += i == 0 ? row[i] + room : room + row[i];
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    std::printf("  %s\n", line.c_str());
  }
  std::fflush(stdout);
}

void Targets::add(const std::string& name, const std::string& value, const std::string& limit, bool met) {
  rows_.push_back({name, value, limit, met ? "ok" : "missed"});
}

void Targets::at_most(const std::string& name, double value, double limit, const std::string& unit) {
  add(name, number_text(value, 2) + unit, "at most " + number_text(limit, 2) + unit, value <= limit);
}

void Targets::at_least(const std::string& name, double value, double limit, const std::string& unit) {
  add(name, number_text(value, 2) + unit, "at least " + number_text(limit, 2) + unit, value >= limit);
}

void Targets::print() const {
  Table table({"target", "measured", "wanted", ""});
  for (const auto& row : rows_) table.row(row);
  table.print();
}

double private_memory() {
  ::malloc_trim(0);
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    if (word == "Private_Dirty:") {
      double kilobytes = 0;
      rollup >> kilobytes;
      return kilobytes * 1024;
    }
  }
  std::fprintf(stderr, "bench: /proc/self/smaps_rollup cannot be read; memory figures are 0\n");
  return 0;
}

}  // namespace bench
