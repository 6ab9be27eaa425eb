// Samples, what is said about them, and tables.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;
using Nanos = std::chrono::nanoseconds;

class Samples {
 public:
  void add(Nanos value) { values_.push_back(value.count()); }
  void add(const Samples& others) {
    values_.insert(values_.end(), others.values_.begin(), others.values_.end());
  }
  bool empty() const { return values_.empty(); }
  std::size_t size() const { return values_.size(); }
  // `share` in [0, 1]; the nearest sample. 0 without samples.
  double quantile_ns(double share) const;
  double median_ns() const { return quantile_ns(0.5); }

 private:
  std::vector<long long> values_;
};

double median(std::vector<double> values);

template <typename Work>
Nanos time_of(Work&& work) {
  const auto begin = Clock::now();
  work();
  return Clock::now() - begin;
}

// "4.03 us", "1.62 ms"
std::string duration_text(double nanoseconds);
std::string number_text(double value, int decimals);

// Columns as wide as their widest cell; the first left-aligned, the others right-aligned.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// The targets, collected while the sections run and printed at the end.
class Targets {
 public:
  void at_most(const std::string& name, double value, double limit, const std::string& unit);
  void at_least(const std::string& name, double value, double limit, const std::string& unit);
  void print() const;

 private:
  void add(const std::string& name, const std::string& value, const std::string& limit, bool met);
  std::vector<std::vector<std::string>> rows_;
};

// Memory that is this process's own, in bytes (Private_Dirty of smaps_rollup), after free pages were given
// back.
double private_memory();

}  // namespace bench
