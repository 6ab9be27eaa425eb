// Whether memory grows while the number of environments goes up and down.
//
// A Node.js environment takes seven megabytes and one of Ruby half of one. Two or three of either more or fewer are open from one
// second to the next, which says nothing about a leak and hides one. So what an environment of each language takes is told from the
// samples themselves, by least squares, and each sample is shown as it would have been with the average number of each.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace lambed::soak {

constexpr std::size_t kQuarters = 4;
constexpr std::size_t kPieces = 3;   // of a quarter, which tell how much its median is due to chance
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
  // How much higher the last quarter's comparable median is than the second's, and the standard error of that; shares.
  double growth = 0;
  double error = 0;
  std::array<double, kCounted> kb_each = {};  // what an environment of each language takes
};

Flatness flatness_of(const std::vector<MemorySample>& samples);

// More than `most` beyond what chance explains: two standard errors. A leak that hides there in a minute shows in ten.
bool grows(const Flatness& flatness, double most);

}  // namespace lambed::soak
