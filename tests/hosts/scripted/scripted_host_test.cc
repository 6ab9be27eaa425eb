// The scripted host keeps to the plugin ABI itself: what the core's tests rely on.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "support/host_harness.h"

namespace lambed::testing {
namespace {

struct ScriptedHarness {
  HostHarness host{std::string(LAMBED_TEST_PLUGIN_DIR) + "/liblambed_host_scripted.so"};

  HarnessEnvironment open(const std::string& script) {
    EnvironmentSpec spec;
    spec.runtime = "scripted1.0";
    spec.handler = script;
    spec.task_root = "/";
    spec.variables = {{"TAG", "blue"}};
    return host.open(spec);
  }
};

BOOST_FIXTURE_TEST_SUITE(scripted_host, ScriptedHarness)

BOOST_AUTO_TEST_CASE(it_answers_with_the_event_unless_told_otherwise) {
  const HarnessEnvironment environment = open("echo");
  environment.expect_opened();
  BOOST_TEST(environment.invoke("{\"a\":1}").payload == "{\"a\":1}");
  BOOST_TEST(environment.invoke("{\"do\":\"text=hi\"}").payload == "\"hi\"");
  BOOST_TEST(environment.invoke("{\"do\":\"bytes=100\"}").payload.size() == 100u);
  BOOST_TEST(environment.invoke("{\"do\":\"stamp\"}").payload.find("\"tag\":\"blue\"") != std::string::npos);
  environment.close();
}

BOOST_AUTO_TEST_CASE(it_ends_in_every_way_it_is_told_to) {
  const HarnessEnvironment environment = open("echo");
  environment.expect_opened();
  BOOST_TEST(environment.invoke("{\"do\":\"fail=E\"}").kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  const Outcome exited = environment.invoke("{\"do\":\"exit=3\"}");
  BOOST_TEST(exited.kind == LAMBED_OUTCOME_EXITED);
  BOOST_TEST(exited.exit_code == 3);
  BOOST_TEST(environment.invoke("{\"do\":\"signal=9\"}").term_signal == 9);
  BOOST_TEST(environment.invoke("{\"do\":\"oom\"}").kind == LAMBED_OUTCOME_OUT_OF_MEMORY);
  BOOST_TEST(environment.invoke("{\"do\":\"refuse=no\"}").kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(environment.invoke("{\"do\":\"discard\"}").discards());
  BOOST_TEST(environment.invoke("{\"do\":\"raw=x\"}").is_binary());
  environment.close();
}

BOOST_AUTO_TEST_CASE(sleeping_and_spinning_stop_when_interrupted) {
  const HarnessEnvironment environment = open("echo");
  environment.expect_opened();
  for (const std::string script : {"sleep=60000", "spin", "wait=never"}) {
    const std::uint64_t token = environment.submit("{\"do\":\"" + script + "\"}");
    BOOST_REQUIRE(environment.wait_taken(token));
    const auto outcome = environment.interrupt_until_answered(token);
    BOOST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->kind == LAMBED_OUTCOME_INTERRUPTED);
  }
  BOOST_TEST(environment.interrupt(12345) == LAMBED_INTERRUPT_STOPPED);
  environment.close();
}

BOOST_AUTO_TEST_CASE(init_fails_or_stops_as_told) {
  const HarnessEnvironment failing = open("init-fail=Broken;echo");
  const auto failed = failing.wait_opened();
  BOOST_REQUIRE(failed.has_value());
  BOOST_TEST(failed->kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(failed->error_type == "Broken");
  BOOST_TEST(failing.wait_closed());
  const HarnessEnvironment hanging = open("init-sleep=60000;echo");
  const auto stopped = hanging.interrupt_until_answered(0);
  BOOST_REQUIRE(stopped.has_value());
  BOOST_TEST(stopped->kind == LAMBED_OUTCOME_INTERRUPTED);
  BOOST_TEST(hanging.wait_closed());
  BOOST_CHECK_THROW(open("open-fail=not here"), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(output_goes_to_the_stream_it_is_meant_for) {
  const HarnessEnvironment environment = open("init-print=loading;echo");
  environment.expect_opened();
  environment.invoke("{\"do\":\"out=2;err=1;log=1;write=end\"}");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDOUT) == "loading\nout 1\nout 2\nend");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDERR) == "err 1\n");
  BOOST_TEST(environment.log(LAMBED_STREAM_LOG) == "log 1\n");
  environment.close();
}

BOOST_AUTO_TEST_CASE(an_environment_may_answer_twice_and_from_elsewhere) {
  const HarnessEnvironment environment = open("echo");
  environment.expect_opened();
  const std::uint64_t twice = environment.submit("{\"do\":\"twice\"}");
  BOOST_REQUIRE(environment.wait_outcome(twice).has_value());
  BOOST_TEST(environment.invoke("{\"do\":\"elsewhere;text=there\"}").payload == "\"there\"");
  BOOST_TEST(environment.completions(twice) == 2);
  environment.close();
}

BOOST_AUTO_TEST_CASE(environments_work_at_the_same_time) {
  std::vector<HarnessEnvironment> environments;
  for (int i = 0; i < 8; ++i) environments.push_back(open("echo"));
  std::vector<std::thread> threads;
  for (const HarnessEnvironment& environment : environments) {
    threads.emplace_back([&environment] {
      environment.expect_opened();
      for (int i = 0; i < 100; ++i) environment.invoke("{}");
      environment.close();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
