#include "base/loop.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "base/parker.h"

using namespace lambed;
using namespace std::chrono_literals;

namespace {

// Runs `function` on the loop and waits for it.
template <typename Function>
void on_loop(CoreLoop& loop, Function function) {
  std::promise<void> done;
  BOOST_REQUIRE(loop.post([&] {
    function();
    done.set_value();
  }));
  done.get_future().get();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(core_loop)

BOOST_AUTO_TEST_CASE(functions_run_on_the_loops_thread_in_the_order_of_one_poster) {
  const auto loop = CoreLoop::start(std::make_shared<SystemClock>());
  std::vector<int> order;
  for (int i = 0; i < 1'000; ++i) {
    BOOST_REQUIRE(loop->post([&order, i, l = loop.get()] {
      if (l->on_loop_thread()) order.push_back(i);
    }));
  }
  on_loop(*loop, [] {});
  BOOST_REQUIRE(order.size() == 1'000u);
  for (int i = 0; i < 1'000; ++i) BOOST_TEST(order[static_cast<std::size_t>(i)] == i);
  BOOST_TEST(!loop->on_loop_thread());
  loop->stop();
}

BOOST_AUTO_TEST_CASE(nothing_posted_by_many_threads_is_lost) {
  const auto loop = CoreLoop::start(std::make_shared<SystemClock>());
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) loop->post([&ran] { ran.fetch_add(1); });
    });
  }
  for (auto& thread : threads) thread.join();
  loop->stop();  // what was posted before is still owed
  BOOST_TEST(ran.load() == 40'000);
}

// A loop that is answered at once must not go to sleep between its answers: waking it costs several times the call itself.
BOOST_AUTO_TEST_CASE(a_loop_that_is_kept_busy_stays_awake) {
  if (std::thread::hardware_concurrency() < 2) return;  // nothing spins there
  const auto loop = CoreLoop::start(std::make_shared<SystemClock>());
  on_loop(*loop, [&] { loop->set_spin_time([](bool had_work) { return had_work ? to_nanos(20s) : 0; }); });
  // A poster that is held up may strike off the spin that its item has led to: then the loop spins uncounted, until the next item.
  const auto is_seen_awake = [&] {
    for (int look = 0; look < 20; ++look) {
      on_loop(*loop, [] {});
      const auto end = std::chrono::steady_clock::now() + 500ms;
      while (Spinners::count() == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      if (Spinners::count() == 1) return true;
    }
    return false;
  };
  for (int round = 0; round < 300; ++round) BOOST_REQUIRE(is_seen_awake());
  on_loop(*loop, [&] { loop->set_spin_time([](bool) { return Nanos{0}; }); });
  loop->stop();
  BOOST_TEST(Spinners::count() == 0);
}

BOOST_AUTO_TEST_CASE(a_stopped_loop_refuses_work) {
  const auto loop = CoreLoop::start(std::make_shared<SystemClock>());
  loop->stop();
  loop->stop();
  BOOST_TEST(!loop->post([] {}));
}

BOOST_AUTO_TEST_CASE(a_timer_runs_once_and_not_before_its_time) {
  const auto clock = std::make_shared<SystemClock>();
  const auto loop = CoreLoop::start(clock);
  std::promise<Nanos> ran;
  const Nanos at = clock->now() + to_nanos(20ms);
  on_loop(*loop, [&] { loop->schedule(at, [&] { ran.set_value(clock->now()); }); });
  BOOST_TEST(ran.get_future().get() >= at);
  loop->stop();
}

BOOST_AUTO_TEST_CASE(timers_run_by_time_under_a_simulated_clock_and_cancelled_ones_do_not) {
  const auto clock = std::make_shared<SimulatedClock>();
  const auto loop = CoreLoop::start(clock);
  std::vector<int> order;
  on_loop(*loop, [&] {
    const Nanos now = clock->now();
    loop->schedule(now + to_nanos(3h), [&] { order.push_back(3); });
    loop->schedule(now + to_nanos(1h), [&] { order.push_back(1); });
    const auto cancelled = loop->schedule(now + to_nanos(2h), [&] { order.push_back(2); });
    loop->cancel(cancelled);
  });
  clock->advance(59min);
  bool is_early = true;
  on_loop(*loop, [&] { is_early = order.empty(); });
  BOOST_TEST(is_early);
  clock->advance(10h);
  on_loop(*loop, [] {});
  std::vector<int> seen;
  on_loop(*loop, [&] { seen = order; });
  BOOST_TEST(seen == (std::vector<int>{1, 3}), boost::test_tools::per_element());
  loop->stop();
}

BOOST_AUTO_TEST_CASE(a_scan_asked_for_by_another_thread_comes_in_time) {
  const auto clock = std::make_shared<SystemClock>();
  const auto loop = CoreLoop::start(clock);
  std::atomic<Nanos> deadline{kNever};
  std::promise<Nanos> seen;
  on_loop(*loop, [&] {
    loop->set_scan([&, told = false](Nanos now) mutable {
      const Nanos d = deadline.load();
      if (!told && d <= now) {
        told = true;
        seen.set_value(now);
      }
      return told ? kNever : d;
    });
  });
  const Nanos at = clock->now() + to_nanos(30ms);
  deadline.store(at);
  loop->wake_by(at);
  BOOST_TEST(seen.get_future().get() >= at);
  loop->stop();
}

BOOST_AUTO_TEST_CASE(a_stopped_loop_lets_go_of_what_it_was_to_run_later) {
  const auto clock = std::make_shared<SystemClock>();
  const auto loop = CoreLoop::start(clock);
  auto timed = std::make_shared<int>(1);
  auto scanned = std::make_shared<int>(2);
  const std::weak_ptr<int> timed_seen = timed;
  const std::weak_ptr<int> scanned_seen = scanned;
  on_loop(*loop, [&] {
    loop->schedule(clock->now() + to_nanos(1h), [timed] {});
    loop->set_scan([scanned](Nanos) { return kNever; });
  });
  timed.reset();
  scanned.reset();
  BOOST_TEST(!timed_seen.expired());
  loop->stop();
  BOOST_TEST(timed_seen.expired());
  BOOST_TEST(scanned_seen.expired());
}

// The last reference may go in a function that the loop itself runs.
BOOST_AUTO_TEST_CASE(a_loop_may_stop_itself_and_be_let_go_of_on_its_own_thread) {
  std::promise<void> done;
  auto loop = CoreLoop::start(std::make_shared<SystemClock>());
  auto* held = new std::shared_ptr<CoreLoop>(loop);
  loop->post([held, &done] {
    (*held)->stop();
    delete held;
    done.set_value();
  });
  loop.reset();
  done.get_future().get();
  BOOST_TEST(true);
}

BOOST_AUTO_TEST_SUITE_END()
