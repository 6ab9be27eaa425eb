#include "soak/flatness.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "soak/observation.h"

namespace lambed::soak {
namespace {

constexpr double kMostGrowth = 0.03;
// Standard deviation of the growth in runs of a minute without a leak: pages that the allocators of four runtimes keep or give
// back, stacks that a deep recursion has touched; docs/isolation.md has the runs. Longer runs average it.
constexpr double kChanceInAMinute = 0.05;
constexpr double kDeviations = 2;

// Unknowns: the level of each quarter, and what an environment of each language takes.
constexpr std::size_t kUnknowns = kQuarters + kCounted;
using Row = std::array<double, kUnknowns>;

std::size_t quarter_of(const MemorySample& sample) {
  return std::min(static_cast<std::size_t>(sample.at * static_cast<double>(kQuarters)), kQuarters - 1);
}

std::array<double, kCounted> averages(const std::vector<MemorySample>& samples) {
  std::array<double, kCounted> average = {};
  for (const MemorySample& sample : samples)
    for (std::size_t i = 0; i < kCounted; ++i)
      average[i] += sample.environments[i] / static_cast<double>(samples.size());
  return average;
}

Row row_of(const MemorySample& sample, const std::array<double, kCounted>& average) {
  Row row = {};
  row[quarter_of(sample)] = 1;
  for (std::size_t i = 0; i < kCounted; ++i) row[kQuarters + i] = sample.environments[i] - average[i];
  return row;
}

// By Gauss's elimination. What nothing is known of (a quarter without samples, a language whose number never changed) is 0.
Row solve(std::array<Row, kUnknowns> matrix, Row right) {
  constexpr double kNothing = 1e-6;
  std::array<bool, kUnknowns> known = {};
  for (std::size_t column = 0; column < kUnknowns; ++column) {
    // Symmetric and positive: the diagonal serves as pivot.
    if (matrix[column][column] < kNothing) continue;
    known[column] = true;
    for (std::size_t row = 0; row < kUnknowns; ++row) {
      if (row == column) continue;
      const double factor = matrix[row][column] / matrix[column][column];
      for (std::size_t i = 0; i < kUnknowns; ++i) matrix[row][i] -= factor * matrix[column][i];
      right[row] -= factor * right[column];
    }
  }
  Row result = {};
  for (std::size_t i = 0; i < kUnknowns; ++i)
    if (known[i]) result[i] = right[i] / matrix[i][i];
  return result;
}

}  // namespace

Flatness flatness_of(const std::vector<MemorySample>& samples) {
  Flatness flatness;
  const auto average = averages(samples);
  std::array<Row, kUnknowns> matrix = {};
  Row right = {};
  for (const MemorySample& sample : samples) {
    const Row row = row_of(sample, average);
    for (std::size_t i = 0; i < kUnknowns; ++i) {
      for (std::size_t j = 0; j < kUnknowns; ++j) matrix[i][j] += row[i] * row[j];
      right[i] += row[i] * sample.kb;
    }
  }
  const Row solution = solve(matrix, right);
  std::copy_n(solution.begin() + kQuarters, kCounted, flatness.kb_each.begin());
  std::array<std::vector<double>, kQuarters> measured;
  std::array<std::vector<double>, kQuarters> comparable;
  for (const MemorySample& sample : samples) {
    const std::size_t quarter = quarter_of(sample);
    double more = 0;
    for (std::size_t i = 0; i < kCounted; ++i) {
      more += flatness.kb_each[i] * (sample.environments[i] - average[i]);
      flatness.environments[quarter] += sample.environments[i];
    }
    measured[quarter].push_back(sample.kb);
    comparable[quarter].push_back(sample.kb - more);
  }
  for (std::size_t i = 0; i < kQuarters; ++i) {
    flatness.samples[i] = measured[i].size();
    flatness.environments[i] /= std::max(1.0, static_cast<double>(measured[i].size()));
    flatness.median_kb[i] = median(std::move(measured[i]));
    flatness.comparable_kb[i] = median(std::move(comparable[i]));
  }
  if (flatness.samples[1] > 0 && flatness.samples[3] > 0) {
    flatness.measured_growth = flatness.median_kb[3] / flatness.median_kb[1] - 1;
    flatness.growth = flatness.comparable_kb[3] / flatness.comparable_kb[1] - 1;
  }
  return flatness;
}

double most_growth(std::chrono::duration<double> judged) {
  return kMostGrowth + kDeviations * kChanceInAMinute * std::sqrt(std::chrono::minutes(1) / judged);
}

}  // namespace lambed::soak
