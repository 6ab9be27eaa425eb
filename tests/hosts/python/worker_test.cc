// Python in worker processes: forked from a launcher with the interpreter warm, one environment each.
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

#include "hosts/python/python_fixture.h"
#include "support/worker_launcher.h"

namespace lambed::testing {
namespace {

Pairs interpreter() {
  const char* const wanted = std::getenv("LAMBED_TEST_PYTHON");
  return wanted == nullptr ? Pairs{} : Pairs{{"interpreter", wanted}};
}

struct LauncherFixture {
  WorkerLauncher launcher{HostHarness::plugin("liblambed_host_python.so"), interpreter()};
  std::unique_ptr<Worker> open(const PythonFunction& function) {
    std::unique_ptr<Worker> worker = launcher.launch(function.spec);
    const std::optional<Outcome> opened = worker->wait_opened();
    BOOST_TEST_REQUIRE(opened.has_value(), worker->output());
    BOOST_TEST_REQUIRE(opened->succeeded(), opened->payload);
    return worker;
  }
};

const char* const kEcho = "def handler(event, context):\n    return event\n";

BOOST_FIXTURE_TEST_SUITE(a_python_worker, LauncherFixture)

BOOST_AUTO_TEST_CASE(echoes) {
  BOOST_TEST(launcher.threads() == 1);
  PythonFunction function(kEcho);
  auto worker = open(function);
  BOOST_TEST(worker->launcher_threads() == 1);
  BOOST_TEST(worker->invoke(R"({"a": [1, 2.5, null, "x"]})").payload == R"({"a": [1, 2.5, null, "x"]})");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
