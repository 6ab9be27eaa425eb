#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "hosts/ruby/ruby_host.h"

using namespace lambed::testing;

BOOST_AUTO_TEST_SUITE(ruby_interrupts)

BOOST_AUTO_TEST_CASE(what_a_handler_does_can_be_interrupted) {
  const std::vector<std::string> bodies = {
      "loop {}",
      "while true; end",
      "sleep",
      "Queue.new.pop",
      "system('sleep 60')",
      "`sleep 60`",
      "IO.pipe[0].read",
      "('a' * 40 + 'b') =~ /(a+)+$/",
      "begin; sleep; rescue => e; loop {}; end",
      "begin; sleep; rescue Exception; retry; end",
      "begin; loop {}; rescue Exception; retry; end",
      "Thread.new { loop {} }.join",
      "require 'timeout'; Timeout.timeout(60) { loop {} }",
      "Mutex.new.tap(&:lock).lock rescue sleep",
  };
  for (const std::string& body : bodies) {
    BOOST_TEST_CONTEXT(body) {
      const RubyFunction function("def handler(event:, context:)\n  puts 'running'\n  " + body + "\nend\n");
      const HarnessEnvironment environment = function.open();
      const std::uint64_t token = submit_and_await_start(environment);
      const auto begin = std::chrono::steady_clock::now();
      const std::optional<Outcome> outcome = environment.interrupt_until_answered(token);
      const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      BOOST_REQUIRE(outcome);
      BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
      BOOST_TEST(outcome->discards());
      BOOST_TEST(elapsed < 3.0);
      BOOST_TEST_MESSAGE(body << ": " << elapsed * 1000 << " ms");
      BOOST_TEST(environment.interrupt(token) == LAMBED_INTERRUPT_STOPPED);
      environment.close();
    }
  }
}

// As after a call that keeps the VM's lock: raise and kill wait for the thread, and it gets both at the same moment. Ruby throws
// the raise, which is swallowed here, and forgets the kill until a further interrupt comes.
BOOST_AUTO_TEST_CASE(a_raise_and_a_kill_that_arrive_together_both_work) {
  const RubyFunction function(
      "def handler(event:, context:)\n  begin\n    unless defined?(@waited)\n      @waited = true\n"
      "      Thread.handle_interrupt(Object => :never) do\n        puts 'running'\n        sleep 0.3\n      "
      "end\n"
      "    end\n    loop {}\n  rescue Exception\n    retry\n  end\nend\n");
  for (int round = 0; round < 3; ++round) {
    const HarnessEnvironment environment = function.open();
    const std::uint64_t token = submit_and_await_start(environment);
    const std::optional<Outcome> outcome = environment.interrupt_until_answered(token);
    BOOST_REQUIRE(outcome);
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
    environment.close();
  }
}

BOOST_AUTO_TEST_CASE(an_ensure_clause_runs_when_a_handler_is_interrupted) {
  const RubyFunction function(
      "def handler(event:, context:)\n  puts 'running'\n  sleep\nensure\n  puts 'cleaned'\nend\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t token = submit_and_await_start(environment);
  BOOST_TEST(environment.interrupt_until_answered(token)->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(environment.log() == "running\ncleaned\n");
  environment.close();
}

BOOST_AUTO_TEST_CASE(init_can_be_interrupted) {
  for (const char* const source : {"sleep\n", "loop {}\n", "begin; sleep; rescue Exception; retry; end\n"}) {
    BOOST_TEST_CONTEXT(source) {
      const RubyFunction function(source);
      const HarnessEnvironment environment = function.begin_open();
      const std::optional<Outcome> outcome = environment.interrupt_until_answered(0);
      BOOST_REQUIRE(outcome);
      BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
      BOOST_TEST(environment.wait_closed());
    }
  }
}

// From before the thread exists to when it sleeps in the function's code.
BOOST_AUTO_TEST_CASE(interrupts_that_race_with_the_begin_of_init_are_answered) {
  const RubyFunction function("sleep\n");
  for (int round = 0; round < 300; ++round) {
    const HarnessEnvironment environment = function.begin_open();
    std::this_thread::sleep_for(std::chrono::microseconds(round));
    const std::optional<Outcome> outcome = environment.interrupt_until_answered(0);
    BOOST_REQUIRE(outcome);
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
    BOOST_REQUIRE(environment.wait_closed());
  }
}

BOOST_AUTO_TEST_CASE(an_interrupt_leaves_the_other_environments_alone) {
  const RubyFunction endless("def handler(event:, context:) = loop {}\n");
  const RubyFunction slow("def handler(event:, context:)\n  sleep 0.5\n  'whole'\nend\n");
  const HarnessEnvironment victim = endless.open();
  const HarnessEnvironment witness = slow.open();
  const std::uint64_t slow_token = witness.submit("{}");
  const std::uint64_t token = victim.submit("{}");
  BOOST_REQUIRE(victim.wait_taken(token));
  BOOST_TEST(victim.interrupt_until_answered(token)->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(witness.wait_outcome(slow_token)->payload == R"("whole")");
  victim.close();
  witness.close();
}

// Busy handlers pass on the VM's lock every 100 ms, so who is to be stopped has it seldom, and so has who stops it.
BOOST_AUTO_TEST_CASE(a_handler_among_many_busy_ones_is_stopped_and_the_vm_not_given_up) {
  const RubyFunction busy(
      "def handler(event:, context:)\n  nil while Process.clock_gettime(Process::CLOCK_MONOTONIC) < "
      "event['until']\nend\n");
  const RubyFunction endless(
      "def handler(event:, context:)\n  puts 'running'\n  begin\n    loop {}\n  rescue Exception\n    "
      "retry\n  end\nend\n");
  const HarnessEnvironment victim = endless.open();
  std::vector<HarnessEnvironment> environments;
  for (int i = 0; i < 20; ++i) environments.push_back(busy.open());
  const std::uint64_t token = submit_and_await_start(victim);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::string event = "{\"until\":" + std::to_string(now.tv_sec + 8) + "}";
  std::vector<std::uint64_t> tokens;
  for (const HarnessEnvironment& environment : environments) tokens.push_back(environment.submit(event));
  for (std::size_t i = 0; i < tokens.size(); ++i) BOOST_REQUIRE(environments[i].wait_taken(tokens[i]));
  lambed_interrupt said = LAMBED_INTERRUPT_PENDING;
  bool had_to_wait = false;
  while (!victim.wait_outcome(token, std::chrono::milliseconds(100)) &&
         said != LAMBED_INTERRUPT_UNSUPPORTED) {
    said = victim.interrupt(token);
    had_to_wait = had_to_wait || said == LAMBED_INTERRUPT_WAITING;
  }
  BOOST_REQUIRE(victim.wait_outcome(token));
  BOOST_TEST(victim.wait_outcome(token)->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(had_to_wait);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    BOOST_TEST(environments[i].wait_outcome(tokens[i])->kind == LAMBED_OUTCOME_SUCCESS);
    environments[i].close();
  }
  victim.close();
}

BOOST_AUTO_TEST_CASE(a_late_interrupt_of_an_earlier_invocation_does_nothing) {
  const RubyFunction function("def handler(event:, context:)\n  sleep(event['s'])\n  event['s']\nend\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t first = environment.submit(R"({"s":0})");
  BOOST_REQUIRE(environment.wait_outcome(first));
  const std::uint64_t second = environment.submit(R"({"s":0.2})");
  BOOST_REQUIRE(environment.wait_taken(second));
  BOOST_TEST(environment.interrupt(first) == LAMBED_INTERRUPT_STOPPED);
  BOOST_TEST(environment.wait_outcome(second)->payload == "0.2");
  environment.close();
}

BOOST_AUTO_TEST_CASE(interrupts_that_race_with_the_end_of_invocations_are_answered_once) {
  const RubyFunction function("def handler(event:, context:) = sleep(0.001)\n");
  for (int round = 0; round < 200; ++round) {
    const HarnessEnvironment environment = function.open();
    const std::uint64_t token = environment.submit("{}");
    BOOST_REQUIRE(environment.wait_taken(token));
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(1000 + round));
    environment.interrupt(token);
    const std::optional<Outcome> outcome = environment.wait_outcome(token);
    BOOST_REQUIRE(outcome);
    BOOST_TEST((outcome->kind == LAMBED_OUTCOME_SUCCESS || outcome->kind == LAMBED_OUTCOME_INTERRUPTED));
    environment.close();
    BOOST_TEST(environment.completions(token) == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
