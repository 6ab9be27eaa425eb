// Start, many environments, and their end.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

std::size_t count(const char* folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void ignore_signal(int) {}

BOOST_AUTO_TEST_SUITE(lifecycle)

// In a process of its own: the host of the other tests has been started already.
BOOST_AUTO_TEST_CASE(starting_with_handlers_of_the_application, *boost::unit_test::disabled()) {
  const std::array signals{SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1, SIGSEGV, SIGHUP, SIGABRT};
  std::array<struct sigaction, signals.size()> before{};
  for (std::size_t at = 0; at < signals.size(); ++at) {
    if (at % 2 == 0) {
      struct sigaction mine {};
      mine.sa_handler = ignore_signal;
      mine.sa_flags = SA_RESTART | SA_RESETHAND;
      sigaction(signals[at], &mine, nullptr);
    }
    sigaction(signals[at], nullptr, &before[at]);
  }
  const auto unchanged = [&](const char* when) {
    for (std::size_t at = 0; at < signals.size(); ++at) {
      struct sigaction now {};
      sigaction(signals[at], nullptr, &now);
      BOOST_TEST((now.sa_sigaction == before[at].sa_sigaction && now.sa_flags == before[at].sa_flags),
                 when << ", signal " << signals[at]);
    }
  };
  node_host();
  unchanged("after start");
  {
    const NodeFunction function(
        "exports.handler = async () => { process.on('SIGINT', () => {}); return 1; };");
    BOOST_TEST(function.result() == 1);
    unchanged("with an environment");
  }
  unchanged("after closing it");
}

BOOST_AUTO_TEST_CASE(starting_leaves_the_signals_as_they_were) {
  BOOST_TEST(run_alone("lifecycle/starting_with_handlers_of_the_application") == 0);
}

BOOST_AUTO_TEST_CASE(the_description_is_complete) {
  const lambed_host_description description = node_host().describe();
  BOOST_TEST(std::string(description.language.data, description.language.size) == "nodejs");
  BOOST_TEST(description.interpreter_version.size > 4U);
  const std::string path(description.interpreter_path.data, description.interpreter_path.size);
  BOOST_TEST(std::filesystem::exists(path), path);
  BOOST_TEST(description.memory_scope == LAMBED_MEMORY_PER_ENVIRONMENT);
  BOOST_TEST((description.traits & LAMBED_HOST_CONTAINS_EXIT) != 0U);
}

BOOST_AUTO_TEST_CASE(many_environments_run_at_once) {
  // Each waits until all have come: one after another, none would ever answer.
  const TemporaryFolder meeting;
  std::vector<std::unique_ptr<NodeFunction>> functions;
  for (int at = 0; at < 8; ++at) {
    functions.push_back(std::make_unique<NodeFunction>(
        "const here = " + nlohmann::json(meeting.path()).dump() + ", me = " + std::to_string(at) + R"(;
const fs = require('fs');
exports.handler = async (event) => {
  fs.writeFileSync(`${here}/${me}`, '');
  while (fs.readdirSync(here).length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
  return event + me;
};
)"));
  }
  std::vector<std::uint64_t> tokens;
  for (const auto& function : functions) tokens.push_back(function->environment().submit("100"));
  for (std::size_t at = 0; at < functions.size(); ++at) {
    const auto outcome = functions[at]->environment().wait_outcome(tokens[at]);
    BOOST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->payload == std::to_string(100 + at));
  }
}

BOOST_AUTO_TEST_CASE(environments_with_work_left_to_do_close) {
  for (const std::string script :
       {"setInterval(() => {}, 10);", "require('net').createServer().listen(0, '127.0.0.1');",
        "require('http').createServer().listen(0, '127.0.0.1');", "require('fs').watch(__dirname, () => {});",
        "new (require('worker_threads').Worker)('setInterval(() => {}, 100)', { eval: true });",
        "new MessageChannel().port1.on('message', () => {});",
        "fetch('http://127.0.0.1:1/').catch(() => {});"}) {
    const NodeFunction function(script + " exports.handler = async () => 1;");
    BOOST_TEST(function.result() == 1, script);
  }
}

BOOST_AUTO_TEST_CASE(closing_gives_everything_back) {
  const char* wanted = std::getenv("LAMBED_TEST_CYCLES");
  const int cycles = wanted != nullptr ? std::atoi(wanted) : 40;
  const auto cycle = [] {
    const NodeFunction function(
        "const held = Buffer.alloc(5000000, 1); setInterval(() => {}, 1000); exports.handler = async () => "
        "held.length;");
    BOOST_TEST(function.result() == 5000000);
  };
  for (int round = 0; round < 10; ++round) cycle();
  malloc_trim(0);
  const std::size_t threads = count("/proc/self/task");
  const std::size_t descriptors = count("/proc/self/fd");
  const std::size_t resident = resident_bytes();
  for (int round = 0; round < cycles; ++round) cycle();
  malloc_trim(0);
  BOOST_TEST_MESSAGE("resident before " << resident / 1000 << " kB, after " << cycles << " cycles "
                                        << resident_bytes() / 1000 << " kB");
  // The thread of the last environment may still be on its way out.
  BOOST_TEST(count("/proc/self/task") <= threads + 1);
  BOOST_TEST(count("/proc/self/fd") <= descriptors);
  // A leaked environment would be 9 MB and its buffer 5.
  BOOST_TEST(resident_bytes() < resident + static_cast<std::size_t>(cycles) * 200'000 + 8'000'000);
}

BOOST_AUTO_TEST_CASE(an_idle_environment_uses_no_processor_time) {
  const NodeFunction function("setInterval(() => {}, 1); exports.handler = async () => 1;");
  function.result();
  const auto before = function.environment().usage().cpu_ns;
  usleep(200'000);
  BOOST_TEST(function.environment().usage().cpu_ns - before < 5'000'000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
