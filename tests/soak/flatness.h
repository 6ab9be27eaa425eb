// Whether memory grows while the number of environments goes up and down.
//
// A Node.js environment takes seven megabytes and one of Ruby half of one. Two or three of either more or fewer are open from one
// second to the next, which says nothing about a leak and hides one. So what an environment of each language takes is told from the
// samples themselves, by least squares, and each sample is shown as it would have been with the average number of each.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

namespace lambed::soak {

constexpr std::size_t kQuarters = 4;
constexpr std::size_t kCounted = 3;  // languages

struct MemorySample {
  double at = 0;  // of the whole time: 0 to 1
  double kb = 0;
  std::array<double, kCounted> environments = {};
};

struct Flatness {
  std::array<double, kQuarters> median_kb = {};      // as measured
  std::array<double, kQuarters> comparable_kb = {};  // median, with the average number of environments
  std::array<double, kQuarters> environments = {};   // on average, of all languages
  std::array<std::size_t, kQuarters> samples = {};
  // How much higher the last quarter's median is than the second's; shares.
  double measured_growth = 0;
  double growth = 0;                          // of the comparable medians
  std::array<double, kCounted> kb_each = {};  // what an environment of each language takes
};

Flatness flatness_of(const std::vector<MemorySample>& samples);

// The most that a run of that length may show: 3 %, and what chance explains, which is much in a minute and little in ten.
double most_growth(std::chrono::duration<double> judged);

}  // namespace lambed::soak
