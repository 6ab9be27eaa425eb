// The soak's judgement of memory: it must see a leak through environments that come and go, and none where there is none.
#include "soak/flatness.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <random>

namespace lambed::soak {
namespace {

constexpr double kNodeKb = 7000;
constexpr double kRubyKb = 600;

// A run in which `growth` kB are lost and the number of environments goes up by `drift`.
std::vector<MemorySample> run(double growth, double drift) {
  std::mt19937 random(1);
  std::poisson_distribution<int> node(3);
  std::poisson_distribution<int> ruby(15);
  std::normal_distribution<double> noise(0, 5000);
  std::vector<MemorySample> samples;
  for (int i = 0; i < 600; ++i) {
    MemorySample sample;
    sample.at = i / 600.0;
    sample.environments = {6, node(random) + drift * sample.at, static_cast<double>(ruby(random))};
    sample.kb = 150'000 + growth * sample.at + kNodeKb * sample.environments[1] +
                kRubyKb * sample.environments[2] + noise(random);
    samples.push_back(sample);
  }
  return samples;
}

BOOST_AUTO_TEST_SUITE(flatness)

BOOST_AUTO_TEST_CASE(more_environments_are_no_leak) {
  const Flatness flatness = flatness_of(run(0, 6));
  BOOST_TEST(flatness.measured_growth > 0.06);
  BOOST_TEST(std::abs(flatness.growth) < 0.01);
  BOOST_TEST(flatness.kb_each[1] == kNodeKb, boost::test_tools::tolerance(0.05));
  BOOST_TEST(flatness.kb_each[2] == kRubyKb, boost::test_tools::tolerance(0.2));
}

BOOST_AUTO_TEST_CASE(a_leak_shows_whatever_the_environments_do) {
  for (const double drift : {-6.0, 0.0, 6.0}) {
    BOOST_TEST(flatness_of(run(80'000, drift)).growth > most_growth(std::chrono::minutes(1)));
    BOOST_TEST(flatness_of(run(32'000, drift)).growth > most_growth(std::chrono::minutes(10)));
  }
}

BOOST_AUTO_TEST_CASE(a_longer_run_is_judged_more_strictly) {
  BOOST_TEST(most_growth(std::chrono::minutes(1)) < 0.14);
  BOOST_TEST(most_growth(std::chrono::minutes(10)) < 0.065);
  BOOST_TEST(most_growth(std::chrono::hours(10)) < 0.035);
  BOOST_TEST(most_growth(std::chrono::hours(10)) >= 0.03);
}

BOOST_AUTO_TEST_CASE(a_quarter_without_samples_is_empty) {
  auto samples = run(0, 0);
  std::erase_if(samples, [](const MemorySample& sample) { return sample.at >= 0.75; });
  const Flatness flatness = flatness_of(samples);
  BOOST_TEST(flatness.samples[3] == 0u);
  BOOST_TEST(flatness.comparable_kb[3] == 0);
  BOOST_TEST(flatness.growth == 0);
  BOOST_TEST(flatness.comparable_kb[0] > 100'000);
}

BOOST_AUTO_TEST_CASE(no_samples_at_all_are_no_fault) { BOOST_TEST(flatness_of({}).samples[0] == 0u); }

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::soak
