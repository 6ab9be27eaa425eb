// Extension modules that support no sub-interpreters: their functions run in the main interpreter, one at a time.
#include <cstdlib>
#include <filesystem>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;

namespace {

// A layer with the test's extension module: one for all tests, since a process can load it from one place only.
const std::string& layer_with_module() {
  static const TemporaryFolder layer;
  static const bool copied = [] {
    std::filesystem::create_directories(layer.path() + "/python");
    return std::filesystem::copy_file(LAMBED_TEST_SINGLE_PHASE_MODULE,
                                      layer.path() + "/python/lambed_single_phase.so");
  }();
  BOOST_TEST_REQUIRE(copied);
  return layer.path();
}

PythonFunction with_module(const std::string& source) {
  PythonFunction function(source);
  function.spec.layers = {layer_with_module()};
  return function;
}

bool has_numpy() {
  PythonFunction function(
      "def handler(event, context):\n    import importlib.util\n"
      "    return importlib.util.find_spec('numpy') is not None\n");
  const HarnessEnvironment environment = function.open();
  const bool found = environment.invoke("{}").payload == "true";
  environment.close();
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(python_extension_modules)

BOOST_AUTO_TEST_CASE(a_single_phase_module_takes_the_function_to_the_main_interpreter) {
  PythonFunction function = with_module(R"(
import lambed_single_phase, os, sys, threading
value = 0
def handler(event, context):
    global value
    value += 1
    print('value', value)
    return [value, lambed_single_phase.count() > 0, dict(os.environ), os.getcwd() == os.path.dirname(__file__)]
)");
  function.spec.variables = {{"ONLY", "this"}};
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"([1, true, {"ONLY": "this"}, true])");
  BOOST_TEST(environment.invoke("{}").payload == R"([2, true, {"ONLY": "this"}, true])");
  BOOST_TEST(environment.log() == "value 1\nvalue 2\n");
  const std::vector<std::string> notices = environment.notices();
  BOOST_TEST_REQUIRE(notices.size() == 1u);
  BOOST_TEST(notices[0].find("lambed_single_phase") != std::string::npos);
  BOOST_TEST(notices[0].find("main interpreter") != std::string::npos);
  environment.close();

  // The next one of the same code goes there at once, and starts afresh.
  const HarnessEnvironment next = function.open();
  BOOST_TEST(next.invoke("{}").payload == R"([1, true, {"ONLY": "this"}, true])");
  BOOST_TEST(next.notices().size() == 0u);
  next.close();
}

BOOST_AUTO_TEST_CASE(environments_of_one_code_wait_for_their_turn_and_others_are_refused) {
  const std::string source = "import lambed_single_phase\ndef handler(event, context):\n    return event\n";
  PythonFunction function = with_module(source);
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.start();
  PythonFunction other = with_module(source);
  const HarnessEnvironment refused = other.start();
  const std::optional<Outcome> outcome = refused.wait_opened();
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(outcome->payload.find("process isolation") != std::string::npos);
  BOOST_TEST(!second.wait_opened(std::chrono::milliseconds(200)).has_value());
  BOOST_TEST(first.invoke("1").payload == "1");
  first.close();
  second.expect_opened();
  BOOST_TEST(second.invoke("2").payload == "2");

  const HarnessEnvironment third = function.start();
  BOOST_TEST(third.interrupt_until_answered(0).value().kind == LAMBED_OUTCOME_INTERRUPTED);
  second.close();
  BOOST_TEST(third.wait_closed());
}

BOOST_AUTO_TEST_CASE(nothing_of_a_function_stays_in_the_main_interpreter) {
  PythonFunction first = with_module(R"(
import lambed_single_phase, helper, logging, sys
sys.path.append('/leftover')
logging.getLogger().setLevel(logging.DEBUG)
def handler(event, context):
    return helper.name
)");
  first.with("helper.py", "name = 'of the first'\n");
  PythonFunction second = with_module(R"(
import lambed_single_phase, helper, logging, sys
def handler(event, context):
    logging.info('not shown')
    logging.warning('shown once')
    return [helper.name, '/leftover' in sys.path, sum(path.startswith('/tmp') for path in sys.path)]
)");
  second.with("helper.py", "name = 'of the second'\n");
  const HarnessEnvironment one = first.open();
  BOOST_TEST(one.invoke("{}").payload == "\"of the first\"");
  one.close();
  const HarnessEnvironment two = second.open();
  const nlohmann::json result = json_of(two.invoke("{}"));
  BOOST_TEST(result[0] == "of the second");
  BOOST_TEST(result[1] == false);
  const std::string log = two.log();
  BOOST_TEST(log.find("shown once") != std::string::npos);
  BOOST_TEST(log.find("shown once") == log.rfind("shown once"));
  BOOST_TEST(log.find("not shown") == std::string::npos);
  two.close();
}

BOOST_AUTO_TEST_CASE(a_second_copy_of_a_loaded_module_is_refused_by_name) {
  PythonFunction first =
      with_module("import lambed_single_phase\ndef handler(event, context):\n    return 1\n");
  first.open().close();
  PythonFunction second("import lambed_single_phase\ndef handler(event, context):\n    return 1\n");
  std::filesystem::copy_file(LAMBED_TEST_SINGLE_PHASE_MODULE, second.folder() + "/lambed_single_phase.so");
  const HarnessEnvironment environment = second.start();
  const std::optional<Outcome> outcome = environment.wait_opened();
  BOOST_TEST_REQUIRE(outcome.has_value());
  BOOST_TEST(outcome->kind == LAMBED_OUTCOME_REFUSED);
  BOOST_TEST(outcome->payload.find("lambed_single_phase was loaded from another function's folder") !=
             std::string::npos);
  BOOST_TEST(environment.wait_closed());
}

BOOST_AUTO_TEST_CASE(an_optional_module_that_is_refused_leaves_the_function_where_it_is) {
  PythonFunction function = with_module(R"(
try:
    import lambed_single_phase
    fast = True
except ImportError:
    fast = False
def handler(event, context):
    return fast
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == "false");
}

BOOST_AUTO_TEST_CASE(a_module_imported_in_the_handler_moves_the_next_environment) {
  PythonFunction function =
      with_module("def handler(event, context):\n    import lambed_single_phase\n    return 'counted'\n");
  const HarnessEnvironment first = function.open();
  const Outcome outcome = first.invoke("{}");
  BOOST_TEST(outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR);
  BOOST_TEST(outcome.discards());
  first.close();
  const HarnessEnvironment second = function.start();
  const std::optional<Outcome> opened = second.wait_opened();
  BOOST_TEST_REQUIRE(opened.has_value());
  BOOST_TEST(opened->succeeded());
  BOOST_TEST(second.invoke("{}").payload.find("counted") != std::string::npos);
  second.close();
}

BOOST_AUTO_TEST_CASE(numpy_works) {
  if (!has_numpy()) {
    BOOST_TEST_MESSAGE("SKIPPED: Python " << python_version() << " has no numpy");
    return;
  }
  PythonFunction function(R"(
import numpy
def handler(event, context):
    matrix = numpy.array(event, dtype=float)
    return {'product': (matrix @ matrix).tolist(), 'mean': float(matrix.mean()), 'solved': numpy.linalg.det(matrix)}
)");
  for (int round = 0; round < 2; ++round) {
    const HarnessEnvironment environment = function.open();
    const nlohmann::json result = json_of(environment.invoke("[[1, 2], [3, 4]]"));
    BOOST_TEST(result["product"] == nlohmann::json::parse("[[7.0, 10.0], [15.0, 22.0]]"));
    BOOST_TEST(result["mean"] == 2.5);
    environment.close();
  }
}

BOOST_AUTO_TEST_SUITE_END()
