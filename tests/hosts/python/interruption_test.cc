// Stopping what does not stop by itself.
#include "hosts/python/python_fixture.h"

using namespace lambed::testing;

namespace {

// The code is stopped, and the environment is at its end.
void expect_stopped(const std::string& body) {
  PythonFunction function(
      "import time, threading, re\ndef handler(event, context):\n    if not event: return 'ok'\n" + body);
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("0").payload == "\"ok\"");
  const std::uint64_t token = environment.submit("1");
  BOOST_TEST_REQUIRE(environment.wait_taken(token));
  const std::optional<Outcome> outcome =
      environment.interrupt_until_answered(token, std::chrono::seconds(10));
  BOOST_TEST_CONTEXT(body) {
    BOOST_TEST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
    BOOST_TEST(outcome->discards());
    BOOST_TEST(environment.completions(token) == 1);
  }
  environment.close();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(python_interruption)

BOOST_AUTO_TEST_CASE(an_endless_loop_is_stopped) { expect_stopped("    while True: pass\n"); }

BOOST_AUTO_TEST_CASE(a_loop_that_swallows_everything_is_stopped) {
  expect_stopped(R"(
    while True:
        try:
            while True: pass
        except BaseException:
            pass
)");
}

BOOST_AUTO_TEST_CASE(a_finally_that_loops_is_stopped) {
  expect_stopped(R"(
    try:
        while True: pass
    finally:
        while True: pass
)");
}

BOOST_AUTO_TEST_CASE(deep_generators_and_comprehensions_are_stopped) {
  expect_stopped("    sum(i for i in iter(int, 1))\n");
}

BOOST_AUTO_TEST_CASE(short_sleeps_in_a_loop_are_stopped) {
  expect_stopped(R"(
    while True:
        try: time.sleep(0.05)
        except Exception: pass
)");
}

BOOST_AUTO_TEST_CASE(asyncio_is_stopped) {
  expect_stopped(R"(
    import asyncio
    async def forever():
        while True: await asyncio.sleep(0.01)
    asyncio.run(forever())
)");
}

// As when importlib is interrupted between taking the import lock, which is one for all interpreters before 3.12, and `try`.
BOOST_AUTO_TEST_CASE(an_import_that_is_interrupted_does_not_hold_up_the_imports_of_others) {
  const std::string holds = "import _imp\n_imp.acquire_lock()\nwhile True: pass\n";
  {
    PythonFunction init(holds);
    const HarnessEnvironment environment = init.start();
    BOOST_TEST_REQUIRE(environment.interrupt_until_answered(0, std::chrono::seconds(10)).has_value());
    BOOST_TEST(environment.wait_closed());
  }
  expect_stopped("    import _imp\n    _imp.acquire_lock()\n    while True: pass\n");
  PythonFunction other("import colorsys, json\ndef handler(event, context): return json.dumps(event)\n");
  BOOST_TEST(other.open().invoke("1").payload == "\"1\"");
}

BOOST_AUTO_TEST_CASE(init_that_loops_is_stopped) {
  PythonFunction function("while True: pass\n");
  const HarnessEnvironment environment = function.start();
  const std::optional<Outcome> outcome = environment.interrupt_until_answered(0, std::chrono::seconds(10));
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(environment.wait_closed());
}

BOOST_AUTO_TEST_CASE(an_invocation_that_has_ended_is_not_interrupted) {
  PythonFunction function("def handler(event, context):\n    return event\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t token = environment.submit("1");
  BOOST_TEST(environment.wait_outcome(token).has_value());
  BOOST_TEST(environment.interrupt(token) == LAMBED_INTERRUPT_STOPPED);
  BOOST_TEST(environment.interrupt(0) == LAMBED_INTERRUPT_STOPPED);
  BOOST_TEST(environment.invoke("2").payload == "2");
}

BOOST_AUTO_TEST_CASE(interrupting_never_blocks_while_code_in_c_holds_the_lock) {
  // A catastrophic regular expression: one C call that keeps the interpreter's lock for seconds.
  PythonFunction function(R"(
import re
def handler(event, context):
    try:
        return re.match('(a+)+$', 'a' * 26 + 'b') is None
    finally:
        print('over')
)");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t token = environment.submit("1");
  BOOST_TEST_REQUIRE(environment.wait_taken(token));
  BOOST_TEST(environment.interrupt(token) == LAMBED_INTERRUPT_PENDING);
  BOOST_TEST(environment.log() == "");  // so it did not wait for the end of the match
  for (int i = 0; i < 20; ++i) {
    if (environment.wait_outcome(token, std::chrono::milliseconds(20))) break;
    if (environment.interrupt(token) != LAMBED_INTERRUPT_PENDING) break;
  }
  const std::optional<Outcome> outcome = environment.wait_outcome(token, std::chrono::seconds(60));
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->discards());
}

BOOST_AUTO_TEST_CASE(an_abandoned_environment_closes_when_its_code_ends) {
  PythonFunction function(
      "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    print('late')\n");
  const HarnessEnvironment environment = function.open();
  const std::uint64_t token = environment.submit("1");
  BOOST_TEST_REQUIRE(environment.wait_taken(token));
  environment.interrupt(token);
  environment.abandon();
  PythonFunction other("def handler(event, context):\n    return 'served'\n");
  BOOST_TEST(other.open().invoke("{}").payload == "\"served\"");
  BOOST_TEST(environment.wait_closed());
  BOOST_TEST(environment.log() == "");  // it was stopped when the sleep ended
}

BOOST_AUTO_TEST_CASE(the_strongest_means_alone_stops_any_loop) {
  // `while True: pass` is one instruction that jumps to itself, at which 3.11 calls no trace function for lines. It was stopped
  // only when the first, weaker means had done so before the second request, which a busy machine does not guarantee.
  const char* const bodies[] = {
      "    while True: pass\n",
      "    while True:\n"
      "        try:\n"
      "            while True: pass\n"
      "        except BaseException: pass\n",
      "    try:\n"
      "        while True: pass\n"
      "    finally:\n"
      "        while True: pass\n",
      "    def inner():\n"
      "        while True: pass\n"
      "    inner()\n",
      "    sum(i for i in iter(int, 1))\n",
  };
  for (const std::string body : bodies) {
    PythonFunction function("def handler(event, context):\n    print('begins', flush=True)\n" + body);
    const HarnessEnvironment environment = function.open();
    const std::uint64_t token = environment.submit("1");
    BOOST_TEST_CONTEXT(body) {
      BOOST_TEST_REQUIRE(environment.wait_log("begins"));
      environment.abandon();  // nothing weaker was tried
      const std::optional<Outcome> outcome = environment.wait_outcome(token, std::chrono::seconds(10));
      BOOST_TEST_REQUIRE(outcome.has_value());
      BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
      BOOST_TEST(environment.wait_closed());
    }
  }
}

BOOST_AUTO_TEST_CASE(interrupting_at_any_moment_of_an_invocation_stops_it) {
  // Between `take` and the handler's first line, too: a request there must not be lost.
  PythonFunction function(
      "import time\ndef handler(event, context):\n    time.sleep(0.01)\n    while True: pass\n");
  for (int round = 0; round < 20; ++round) {
    const HarnessEnvironment environment = function.open();
    const std::uint64_t token = environment.submit("1");
    BOOST_TEST_REQUIRE(environment.wait_taken(token));
    BOOST_TEST(environment.interrupt(token) == LAMBED_INTERRUPT_PENDING);
    const std::optional<Outcome> outcome = environment.wait_outcome(token, std::chrono::seconds(10));
    BOOST_TEST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
    environment.close();
  }
}

BOOST_AUTO_TEST_CASE(a_thread_that_runs_on_beside_a_stuck_handler_does_not_stop_the_others) {
  // Two means of interrupting at once made such a thread loop inside Python 3.11 with the lock held, until the sleep's end.
  PythonFunction stuck(R"(
import threading, time
def work():
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            pass
def handler(event, context):
    threading.Thread(target=work, daemon=True).start()
    print('asleep', flush=True)
    time.sleep(3)
)");
  PythonFunction steady("def handler(event, context):\n    return event\n");
  const HarnessEnvironment bystander = steady.open();
  const HarnessEnvironment environment = stuck.open();
  const std::uint64_t token = environment.submit("{}");
  BOOST_TEST_REQUIRE(environment.wait_log("asleep"));
  for (int i = 0; i < 5; ++i) {
    environment.interrupt(token);
    environment.wait_outcome(token, std::chrono::milliseconds(50));
    BOOST_TEST(bystander.invoke(std::to_string(i)).payload == std::to_string(i));
    BOOST_TEST(environment.completions(token) == 0);
  }
  const std::optional<Outcome> outcome = environment.wait_outcome(token);
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
  environment.close();
}

BOOST_AUTO_TEST_CASE(others_go_on_while_one_is_interrupted) {
  PythonFunction looping("def handler(event, context):\n    while True: pass\n");
  PythonFunction steady("def handler(event, context):\n    return event + 1\n");
  const HarnessEnvironment bystander = steady.open();
  for (int round = 0; round < 5; ++round) {
    const HarnessEnvironment environment = looping.open();
    const std::uint64_t token = environment.submit("{}");
    BOOST_TEST_REQUIRE(environment.wait_taken(token));
    BOOST_TEST(bystander.invoke(std::to_string(round)).payload == std::to_string(round + 1));
    BOOST_TEST(environment.interrupt_until_answered(token).has_value());
    environment.close();
    BOOST_TEST(bystander.invoke("41").payload == "42");
  }
}

BOOST_AUTO_TEST_SUITE_END()
