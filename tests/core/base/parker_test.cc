#include "base/parker.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <thread>

using namespace lambed;

BOOST_AUTO_TEST_SUITE(parker)

BOOST_AUTO_TEST_CASE(an_unpark_before_the_park_is_kept) {
  Parker parker;
  parker.unpark();
  BOOST_TEST(parker.park());
}

BOOST_AUTO_TEST_CASE(several_unparks_count_as_one) {
  Parker parker;
  parker.unpark();
  parker.unpark();
  BOOST_TEST(parker.park());
  BOOST_TEST(!parker.park(1'000'000));
}

BOOST_AUTO_TEST_CASE(a_park_that_nobody_ends_times_out) {
  Parker parker;
  BOOST_TEST(!parker.park(2'000'000));
  BOOST_TEST(!parker.park(0));
  parker.unpark();
  BOOST_TEST(parker.park(0));
}

// Both threads wait for each other in turn: a lost wake-up would hang one of them.
BOOST_AUTO_TEST_CASE(no_wake_up_is_lost_between_two_threads) {
  constexpr int kTurns = 20'000;
  Parker ping;
  Parker pong;
  int value = 0;
  std::thread other([&] {
    for (int i = 0; i < kTurns; ++i) {
      while (!ping.park()) {
      }
      ++value;
      pong.unpark();
    }
  });
  for (int i = 0; i < kTurns; ++i) {
    ++value;
    ping.unpark();
    while (!pong.park()) {
    }
  }
  other.join();
  BOOST_TEST(value == 2 * kTurns);
}

// Both sides of a hand-off wait in turns, and on two cores one may spin. Whoever notifies must find the place free at once.
BOOST_AUTO_TEST_CASE(a_notified_spinner_makes_room_at_once) {
  int seen = 0;
  int still_there = 0;
  for (int round = 0; round < 500; ++round) {
    Parker parker;
    std::thread waiter([&parker] { parker.park(); });
    for (int looks = 0; looks < 100'000 && Spinners::count() == 0; ++looks) {
    }
    seen += Spinners::count();
    parker.unpark();
    still_there += Spinners::count();
    waiter.join();
  }
  BOOST_TEST_MESSAGE(seen << " of 500 waiters were seen spinning, " << still_there
                          << " still after their notice");
  // Not zero: a waiter may be met between being counted and being able to be notified.
  BOOST_TEST(still_there * 4 <= seen);
  BOOST_TEST(Spinners::count() == 0);
}

// As an answered caller does: the waiter destroys the Parker as soon as it is let through.
BOOST_AUTO_TEST_CASE(the_waiter_may_destroy_it_at_once) {
  for (int i = 0; i < 2'000; ++i) {
    auto parker = std::make_unique<Parker>();
    std::thread other([p = parker.get()] { p->unpark(); });
    while (!parker->park()) {
    }
    parker.reset();
    other.join();
  }
  BOOST_TEST(true);
}

BOOST_AUTO_TEST_SUITE_END()
