// close() and destruction: they end, whatever the handlers are doing, and every call has its answer.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What close may take with a grace of 200 ms on a busy machine.
constexpr auto kCloseBound = 5s;

struct CloseFixture : ScriptedFixture {
  static GatewayOptions impatient(GatewayOptions options) {
    options.interrupt_grace = 100ms;
    options.close_grace = 200ms;
    return options;
  }
  CloseFixture() { gateway->create_function(function("hello", "echo")); }

  std::future<InvokeResult> start(const std::string& script) {
    return gateway->invoke_future({.function = "hello", .payload = do_script(script)});
  }
  void check_closed(std::future<InvokeResult>& call) {
    BOOST_REQUIRE((call.wait_for(kPatience) == std::future_status::ready));
    BOOST_TEST(std::string(error_of([&] { call.get(); }).name()) == "GatewayClosed");
  }
  template <typename Action>
  void check_bounded(Action action) {
    const auto begin = SteadyClock::now();
    action();
    BOOST_TEST((SteadyClock::now() - begin < kCloseBound));
  }

  std::optional<Gateway> gateway{std::in_place, impatient(options())};
};

BOOST_FIXTURE_TEST_SUITE(closing, CloseFixture)

BOOST_AUTO_TEST_CASE(an_idle_gateway_closes_and_leaves_nothing) {
  BOOST_TEST(gateway->invoke({.function = "hello"}).ok());
  check_bounded([&] { gateway->close(); });
  BOOST_TEST(await([&] { return host().environments() == 0 && host().threads() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_gateway_that_was_never_used_closes) {
  Gateway unused(impatient(options()));
  check_bounded([&] { unused.close(); });
}

BOOST_AUTO_TEST_CASE(calls_in_flight_are_answered_with_gateway_closed) {
  Gate gate;
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 8; ++i) calls.push_back(start("wait=" + gate.name()));
  BOOST_TEST(gate.await_waiting(8));
  check_bounded([&] { gateway->close(); });
  for (auto& call : calls) check_closed(call);
  BOOST_TEST(gate.waiting() == 0);
}

BOOST_AUTO_TEST_CASE(blocking_callers_are_released_too) {
  Gate gate;
  std::atomic<int> closed{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      try {
        gateway->invoke({.function = "hello", .payload = do_script("wait=" + gate.name())});
      } catch (const Error& error) {
        if (error.code() == ErrorCode::GatewayClosed) ++closed;
      }
    });
  }
  BOOST_TEST(gate.await_waiting(4));
  check_bounded([&] { gateway->close(); });
  for (std::thread& caller : callers) caller.join();
  BOOST_TEST(closed == 4);
}

BOOST_AUTO_TEST_CASE(calls_whose_environment_is_still_opening_are_answered) {
  Gate init;
  gateway->create_function(function("slow", "init-wait=" + init.name() + ";echo"));
  auto call = gateway->invoke_future({.function = "slow"});
  BOOST_TEST(init.await_waiting(1));
  check_bounded([&] { gateway->close(); });
  check_closed(call);
}

BOOST_AUTO_TEST_CASE(runaway_handlers_do_not_hold_it_up) {
  Gate gate;
  auto stuck = start("gate=" + gate.name());
  auto deaf = start("deaf=" + gate.name());
  auto spinning = start("spin");
  BOOST_TEST(gate.await_waiting(2));
  check_bounded([&] { gateway->close(); });
  check_closed(stuck);
  check_closed(deaf);
  check_closed(spinning);
  gate.open();
}

// A worker is killed: nothing of it is left to be abandoned.
BOOST_AUTO_TEST_CASE(destruction_with_runaway_handlers_ends_and_they_may_end_later,
                     *boost::unit_test::label("in_process")) {
  Gate gate;
  auto stuck = start("gate=" + gate.name() + ";print=still here");
  BOOST_TEST(gate.await_waiting(1));
  check_bounded([&] { gateway.reset(); });
  check_closed(stuck);
  BOOST_TEST(host().environments() == 1);
  gate.open();
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(every_invocation_after_it_is_refused_with_gateway_closed) {
  gateway->close();
  const auto refuses = [&](auto call) { BOOST_TEST(std::string(error_of(call).name()) == "GatewayClosed"); };
  refuses([&] { gateway->invoke({.function = "hello"}); });
  refuses([&] { gateway->invoke({.function = "hello", .type = InvocationType::kDryRun}); });
  auto future = gateway->invoke_future({.function = "hello"});
  check_closed(future);
  std::promise<InvokeResult> answer;
  gateway->invoke({.function = "hello"}, [&](InvokeResult result) { answer.set_value(std::move(result)); });
  const InvokeResult result = result_of(answer.get_future());
  BOOST_REQUIRE(result.error.has_value());
  BOOST_TEST(std::string(result.error->name()) == "GatewayClosed");
  BOOST_TEST(result.status_code == 503);
  gateway->status();
}

BOOST_AUTO_TEST_CASE(it_may_be_called_again_and_from_several_threads_at_once) {
  Gate gate;
  auto call = start("wait=" + gate.name());
  BOOST_TEST(gate.await_waiting(1));
  check_bounded([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) threads.emplace_back([&] { gateway->close(); });
    for (std::thread& thread : threads) thread.join();
  });
  gateway->close();
  check_closed(call);
}

BOOST_AUTO_TEST_CASE(a_callback_may_close_the_gateway) {
  Gate gate;
  auto other = start("wait=" + gate.name());
  BOOST_TEST(gate.await_waiting(1));
  std::promise<void> returned;
  gateway->invoke({.function = "hello"}, [&](InvokeResult) {
    gateway->close();
    returned.set_value();
  });
  BOOST_REQUIRE((returned.get_future().wait_for(kPatience) == std::future_status::ready));
  check_closed(other);
  check_bounded([&] { gateway->close(); });
  BOOST_TEST(host().environments() == 0);
}

BOOST_AUTO_TEST_CASE(callbacks_in_flight_are_all_called_before_it_returns) {
  Gate gate;
  std::atomic<int> called{0};
  for (int i = 0; i < 10; ++i) {
    gateway->invoke({.function = "hello", .payload = do_script("wait=" + gate.name())},
                    [&](InvokeResult result) {
                      if (result.error && result.error->code() == ErrorCode::GatewayClosed) ++called;
                    });
  }
  BOOST_TEST(gate.await_waiting(10));
  gateway->close();
  BOOST_TEST(called == 10);
}

BOOST_AUTO_TEST_CASE(it_ends_under_fire_and_every_call_is_answered_once) {
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::atomic<int> refused{0};
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        ++made;
        try {
          gateway->invoke({.function = "hello"});
          ++answered;
        } catch (const Error& error) {
          if (error.code() == ErrorCode::GatewayClosed) ++refused;
        }
      }
    });
  }
  BOOST_TEST(await([&] { return answered > 200; }));
  check_bounded([&] { gateway->close(); });
  BOOST_TEST(await([&] { return refused > 6; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(answered + refused == made);
}

BOOST_AUTO_TEST_CASE(gateways_come_and_go_in_one_process) {
  for (int round = 0; round < 30; ++round) {
    Gateway another(impatient(options()));
    another.create_function(function("hello", "text=here"));
    BOOST_REQUIRE(another.invoke({.function = "hello"}).payload == "\"here\"");
  }
  BOOST_TEST(await([&] { return host().environments() == 0; }));
}

BOOST_AUTO_TEST_CASE(gateways_at_the_same_time_do_not_see_each_other) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Gateway mine(impatient(options()));
      const std::string word = "\"" + std::to_string(t) + "\"";
      mine.create_function(function("hello", "text=" + std::to_string(t)));
      for (int i = 0; i < 100; ++i) {
        if (mine.invoke({.function = "hello"}).payload == word) ++right;
      }
      if (mine.list_functions().size() == 1 && mine.status().late_completions == 0) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(right == 8 * 101);
  gateway->close();
  Gateway after(impatient(options()));
  after.create_function(function("hello", "text=after"));
  BOOST_TEST(after.invoke({.function = "hello"}).payload == "\"after\"");
}

#ifndef LAMBED_SANITIZED  // the sanitizers' own threads do not survive a fork
BOOST_AUTO_TEST_CASE(a_child_made_by_fork_is_told_that_the_gateway_is_its_parent_s) {
  BOOST_TEST(gateway->invoke({.function = "hello"}).ok());
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      gateway->invoke({.function = "hello"});
    } catch (const Error& error) {
      status = error.message().find("fork") != std::string::npos ? 0 : 2;
    }
    ::_exit(status);
  }
  int status = -1;
  const bool ended = await([&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!ended) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  BOOST_TEST(ended);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  BOOST_TEST(gateway->invoke({.function = "hello"}).ok());
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
