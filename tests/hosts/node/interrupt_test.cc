// What can be stopped, how fast, and that nothing else is.
#include <chrono>
#include <thread>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;
using std::chrono::steady_clock;

BOOST_AUTO_TEST_SUITE(interrupts)

BOOST_AUTO_TEST_CASE(running_and_waiting_handlers_are_stopped) {
  for (const std::string script :
       {"exports.handler = async () => { for (;;); };",
        "exports.handler = () => { for (;;) { try { throw 1; } catch {} finally {} } };",
        "exports.handler = async () => { for (;;) await null; };",
        "exports.handler = async () => new Promise((resolve) => setTimeout(resolve, 1e6));",
        "exports.handler = async () => { setTimeout(() => { for (;;); }, 1); await new Promise((r) => "
        "setTimeout(r, 1e6)); };",
        "exports.handler = async () => { setInterval(() => {}, 0); await new Promise(() => {}); };",
        "exports.handler = async () => /(a+)+$/.test('a'.repeat(40) + 'b');",
        "exports.handler = async () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
        "exports.handler = async () => { const next = () => process.nextTick(next); next(); await new "
        "Promise(() => {}); };",
        "exports.handler = (event, context, callback) => { setInterval(() => {}, 1); callback(null, 1); };",
        "exports.handler = async () => new Promise((r) => require('net').createServer().listen(0, "
        "'127.0.0.1'));"}) {
    const NodeFunction function("process.on('uncaughtException', () => { for (;;); });" + script);
    const auto token = function.environment().submit("{}");
    BOOST_REQUIRE(function.environment().wait_taken(token));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // let it get into the middle of it
    const auto before = steady_clock::now();
    BOOST_TEST(function.environment().interrupt(token) == LAMBED_INTERRUPT_PENDING, script);
    const auto outcome = function.environment().wait_outcome(token);
    BOOST_REQUIRE_MESSAGE(outcome.has_value(), script);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - before);
    BOOST_TEST_MESSAGE(took.count() << " us to stop " << script);
    BOOST_TEST(outcome->discards(), script);
    // A callback's answer that waited for the event loop is the answer.
    BOOST_TEST((outcome->kind == LAMBED_OUTCOME_INTERRUPTED || outcome->succeeded()), script);
    BOOST_TEST(function.environment().completions(token) == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_handler_stuck_in_a_child_process_is_stopped_afterwards) {
  const NodeFunction function(
      "exports.handler = async () => { require('child_process').execSync('sleep 1'); for (;;); };");
  const auto token = function.environment().submit("{}");
  BOOST_REQUIRE(function.environment().wait_taken(token));
  const auto outcome = function.environment().interrupt_until_answered(token);
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
}

BOOST_AUTO_TEST_CASE(init_is_stopped) {
  const TemporaryFolder folder;
  folder.write("index.js", "for (;;);");
  EnvironmentSpec spec;
  spec.runtime = "nodejs18.x";
  spec.handler = "index.handler";
  spec.task_root = folder.path();
  const HarnessEnvironment environment = node_host().open(spec);
  const auto outcome = environment.interrupt_until_answered(0);
  BOOST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(environment.wait_closed());
}

BOOST_AUTO_TEST_CASE(an_interrupt_that_comes_too_late_or_for_another_invocation_does_nothing) {
  const NodeFunction function("exports.handler = async (event) => event;");
  BOOST_TEST(function.environment().interrupt(0) == LAMBED_INTERRUPT_STOPPED);
  const auto token = function.environment().submit("1");
  BOOST_REQUIRE(function.environment().wait_outcome(token).has_value());
  BOOST_TEST(function.environment().interrupt(token) == LAMBED_INTERRUPT_STOPPED);
  BOOST_TEST(function.environment().interrupt(token + 1000) == LAMBED_INTERRUPT_STOPPED);
  BOOST_TEST(function.result("2") == 2);
}

BOOST_AUTO_TEST_CASE(interrupts_at_any_moment_leave_one_answer_and_the_process_unharmed) {
  // Short invocations under fire: an interrupt may hit the start, the middle, the end or nothing.
  for (int round = 0; round < 12; ++round) {
    const NodeFunction function(R"(
      exports.handler = async () => { const until = Date.now() + 2; await null; while (Date.now() < until); await new Promise((r) => setTimeout(r, 1)); return 1; };)");
    const auto token = function.environment().submit("{}");
    BOOST_REQUIRE(function.environment().wait_taken(token));
    std::this_thread::sleep_for(std::chrono::microseconds(400 * round));
    function.environment().interrupt(token);
    const auto outcome = function.environment().wait_outcome(token);
    BOOST_REQUIRE(outcome.has_value());
    BOOST_TEST((outcome->succeeded() || outcome->kind == LAMBED_OUTCOME_INTERRUPTED));
    BOOST_TEST(function.environment().completions(token) == 1);
    if (outcome->kind == LAMBED_OUTCOME_INTERRUPTED) BOOST_TEST(outcome->discards());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
