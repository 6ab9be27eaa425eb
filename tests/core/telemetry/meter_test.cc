#include "telemetry/meter.h"

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

using namespace lambed::telemetry;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(meter)

BOOST_AUTO_TEST_CASE(durations_are_billed_in_whole_steps) {
  BOOST_TEST((billed_duration(0ns, 100ms) == 100ms));
  BOOST_TEST((billed_duration(1ns, 100ms) == 100ms));
  BOOST_TEST((billed_duration(100ms, 100ms) == 100ms));
  BOOST_TEST((billed_duration(100ms + 1ns, 100ms) == 200ms));
  BOOST_TEST((billed_duration(3'010'000ns, 1ms) == 4ms));
  BOOST_TEST((billed_duration(900s, 1ms) == 900'000ms));
}

BOOST_AUTO_TEST_CASE(a_new_meter_reads_zero) {
  const lambed::FunctionUsage usage = Meter{}.read();
  BOOST_TEST(usage.requests == 0u);
  BOOST_TEST(usage.gb_seconds() == 0.0);
}

BOOST_AUTO_TEST_CASE(every_kind_of_end_is_counted_where_it_belongs) {
  Meter meter;
  meter.count({.billed_duration = 100ms, .memory_size_mb = 1024, .cold_start = true});
  meter.count({.billed_duration = 900ms, .memory_size_mb = 1024, .failed = true});
  meter.count({.billed_duration = 1s, .memory_size_mb = 1024, .failed = true, .timed_out = true});
  meter.count_throttle();
  const lambed::FunctionUsage usage = meter.read();
  BOOST_TEST(usage.requests == 3u);
  BOOST_TEST(usage.errors == 2u);
  BOOST_TEST(usage.timeouts == 1u);
  BOOST_TEST(usage.throttles == 1u);
  BOOST_TEST(usage.cold_starts == 1u);
  BOOST_TEST(usage.gb_milliseconds_x1024 == 2000u * 1024u);
  BOOST_TEST(usage.gb_seconds() == 2.0);
}

BOOST_AUTO_TEST_CASE(no_count_is_lost_between_threads) {
  Meter meter;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&meter] {
      for (int i = 0; i < 10'000; ++i) meter.count({.billed_duration = 1ms, .memory_size_mb = 128});
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(meter.read().requests == 40'000u);
  BOOST_TEST(meter.read().gb_milliseconds_x1024 == 40'000u * 128u);
}

BOOST_AUTO_TEST_SUITE_END()
