// From a handler's name and an event to a result.
#include <thread>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;

BOOST_AUTO_TEST_SUITE(python_handlers)

BOOST_AUTO_TEST_CASE(an_event_comes_back_as_the_handler_returns_it) {
  PythonFunction function("def handler(event, context):\n    return event\n");
  const HarnessEnvironment environment = function.open();
  for (const std::string event : {R"({"name": "Ada", "n": [1, 2.5, -3e+20, true, null]})", "[]", "\"text\"",
                                  "null", "7", R"({"deep": {"er": {"est": "\u00e9\ud83d\ude00"}}})"}) {
    const Outcome outcome = environment.invoke(event);
    BOOST_TEST(outcome.succeeded());
    BOOST_TEST(nlohmann::json::parse(outcome.payload) == nlohmann::json::parse(event));
    BOOST_TEST(!outcome.is_binary());
  }
}

BOOST_AUTO_TEST_CASE(white_space_around_an_event_does_no_harm) {
  PythonFunction function("def handler(event, context):\n    return event\n");
  BOOST_TEST(function.open().invoke(" \r\n\t {\"a\" : 1}\n ").payload == R"({"a": 1})");
}

BOOST_AUTO_TEST_CASE(results_are_written_with_the_separators_of_lambda) {
  PythonFunction function("def handler(event, context):\n    return {'a': [1, 2], 'b': 'x'}\n");
  BOOST_TEST(function.open().invoke("{}").payload == R"({"a": [1, 2], "b": "x"})");
}

BOOST_AUTO_TEST_CASE(text_beyond_ascii_is_escaped_by_runtimes_before_3_12_only) {
  PythonFunction function("def handler(event, context):\n    return 'Z\\u00fcrich \\U0001f600'\n");
  BOOST_TEST(function.open().invoke("{}").payload == "\"Z\u00fcrich \U0001f600\"");
  function.spec.runtime = "python3.11";
  BOOST_TEST(function.open().invoke("{}").payload == R"("Z\u00fcrich \ud83d\ude00")");
}

BOOST_AUTO_TEST_CASE(decimals_become_numbers_with_all_their_digits) {
  PythonFunction function(R"(
from decimal import Decimal
def handler(event, context):
    return {'price': Decimal('19.990'), 'huge': Decimal('123456789012345678901234567890.5'), 'list': [Decimal(1), 'text']}
)");
  const HarnessEnvironment environment = function.open();
  const std::string expected =
      R"({"price": 19.990, "huge": 123456789012345678901234567890.5, "list": [1, "text"]})";
  BOOST_TEST(environment.invoke("{}").payload == expected);
  BOOST_TEST(environment.invoke("{}").payload == expected);
}

BOOST_AUTO_TEST_CASE(bytes_are_passed_on_unchanged) {
  PythonFunction function("def handler(event, context):\n    return b'\\x00\\xff{not json'\n");
  const Outcome outcome = function.open().invoke("{}");
  BOOST_TEST(outcome.succeeded());
  BOOST_TEST(outcome.is_binary());
  BOOST_TEST(outcome.payload == std::string("\x00\xff{not json", 11));
}

BOOST_AUTO_TEST_CASE(nothing_returned_is_null) {
  PythonFunction function("def handler(event, context):\n    pass\n");
  BOOST_TEST(function.open().invoke("{}").payload == "null");
}

BOOST_AUTO_TEST_CASE(init_code_runs_once_for_an_environment) {
  PythonFunction function(
      "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n");
  const HarnessEnvironment first = function.open();
  BOOST_TEST(first.invoke("{}").payload == "1");
  BOOST_TEST(first.invoke("{}").payload == "2");
  const HarnessEnvironment second = function.open();
  BOOST_TEST(second.invoke("{}").payload == "1");
  BOOST_TEST(first.invoke("{}").payload == "3");
}

BOOST_AUTO_TEST_CASE(handlers_are_found_in_packages_and_folders) {
  PythonFunction function("");
  function.with("package/__init__.py", "")
      .with("package/part.py", "def f(event, context):\n    return __name__\n");
  function.with("folder/inner/code.py", "def f(event, context):\n    return __name__\n");
  for (const auto& [handler, module] : Pairs{{"package.part.f", "package.part"},
                                             {"package/part.f", "package.part"},
                                             {"folder/inner/code.f", "folder.inner.code"},
                                             {"folder.inner.code.f", "folder.inner.code"}}) {
    function.spec.handler = handler;
    BOOST_TEST(function.open().invoke("{}").payload == "\"" + module + "\"");
  }
}

BOOST_AUTO_TEST_CASE(any_callable_can_be_a_handler) {
  PythonFunction function(R"(
class Handler:
    def __call__(self, event, context):
        return 'called'
handler = Handler()
lambda_handler = lambda event, context: 'lambda'
)");
  BOOST_TEST(function.open().invoke("{}").payload == "\"called\"");
  function.spec.handler = "app.lambda_handler";
  BOOST_TEST(function.open().invoke("{}").payload == "\"lambda\"");
}

BOOST_AUTO_TEST_CASE(layers_are_importable_and_the_code_comes_before_them) {
  TemporaryFolder first;
  TemporaryFolder second;
  first.write("python/shared.py", "where = 'first layer'\n");
  first.write("python/mine.py", "where = 'first layer'\n");
  second.write("python/shared.py", "where = 'second layer'\n");
  second.write("python/lib/python" + python_version() + "/site-packages/installed.py",
               "where = 'site-packages of a layer'\n");
  PythonFunction function(
      "import shared, mine, installed\ndef handler(event, context):\n    return [shared.where, mine.where, "
      "installed.where]\n");
  function.with("mine.py", "where = 'the code'\n");
  function.spec.layers = {first.path(), second.path()};
  BOOST_TEST(function.open().invoke("{}").payload ==
             R"(["first layer", "the code", "site-packages of a layer"])");
}

BOOST_AUTO_TEST_CASE(an_environment_keeps_to_one_thread) {
  PythonFunction function(R"(
import sqlite3, threading
connection = sqlite3.connect(':memory:')   # refuses other threads
connection.create_function('twice', 1, lambda n: 2 * n)   # calls back through PyGILState_Ensure
local = threading.local()
local.calls = 0
def handler(event, context):
    local.calls += 1
    assert threading.current_thread() is threading.main_thread()
    return [local.calls, connection.execute('select twice(21)').fetchone()[0]]
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == "[1, 42]");
  BOOST_TEST(environment.invoke("{}").payload == "[2, 42]");
}

BOOST_AUTO_TEST_CASE(callbacks_of_ctypes_reach_the_environment) {
  PythonFunction function(R"(
import ctypes
libc = ctypes.CDLL(None)
compare_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
def handler(event, context):
    numbers = (ctypes.c_int * 4)(3, 1, 4, 1)
    libc.qsort(numbers, 4, ctypes.sizeof(ctypes.c_int), compare_type(lambda a, b: a[0] - b[0]))
    return list(numbers)
)");
  BOOST_TEST(function.open().invoke("{}").payload == "[1, 1, 3, 4]");
}

BOOST_AUTO_TEST_CASE(asyncio_and_the_usual_modules_work) {
  PythonFunction function(R"(
import asyncio, datetime, decimal, hashlib, ssl, urllib.request, zoneinfo, uuid, csv, gzip, base64, concurrent.futures
async def work():
    await asyncio.sleep(0.01)
    return datetime.datetime(2025, 1, 2, tzinfo=datetime.timezone.utc).isoformat()
def handler(event, context):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(lambda n: n * n, range(10)))
    return [asyncio.run(work()), hashlib.sha256(b'x').hexdigest()[:8], total]
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"(["2025-01-02T00:00:00+00:00", "2d711642", 285])");
}

BOOST_AUTO_TEST_CASE(environments_of_one_module_can_end_in_any_order) {
  // Static types of an extension module, which all interpreters share, once held memory of the first that imported it.
  for (const std::string module :
       {"datetime", "zoneinfo", "decimal", "sqlite3", "ssl", "ctypes", "xml.etree.ElementTree"}) {
    PythonFunction function("import " + module + "\ndef handler(event, context):\n    return event\n");
    std::vector<HarnessEnvironment> environments;
    for (int i = 0; i < 3; ++i) environments.push_back(function.open());
    for (const std::size_t each : {std::size_t{1}, std::size_t{0}, std::size_t{2}}) {
      BOOST_TEST(environments[each].invoke("7").payload == "7", module);
      environments[each].close();
    }
    const HarnessEnvironment another = function.open();
    BOOST_TEST(another.invoke("8").payload == "8", module);
    another.close();
  }
}

// Workers have a /tmp each, and meet nowhere.
BOOST_AUTO_TEST_CASE(environments_run_side_by_side, *boost::unit_test::label("in_process")) {
  // Each waits until all have come: one after another, none would ever answer.
  const TemporaryFolder meeting;
  PythonFunction function("import os, time\ndef handler(event, context):\n    here = " +
                          nlohmann::json(meeting.path()).dump() + R"(
    open(f'{here}/{event}', 'w').close()
    while len(os.listdir(here)) < 4:
        time.sleep(0.005)
    return event
)");
  std::vector<HarnessEnvironment> environments;
  std::vector<std::uint64_t> tokens;
  for (int i = 0; i < 4; ++i) environments.push_back(function.open());
  for (std::size_t i = 0; i < 4; ++i) tokens.push_back(environments[i].submit(std::to_string(i)));
  for (std::size_t i = 0; i < 4; ++i) {
    const std::optional<Outcome> outcome = environments[i].wait_outcome(tokens[i]);
    BOOST_TEST_REQUIRE(outcome.has_value());
    BOOST_TEST(outcome->payload == std::to_string(i));
  }
}

BOOST_AUTO_TEST_CASE(a_closed_environment_is_gone_and_others_stay) {
  PythonFunction function("def handler(event, context):\n    return 1\n");
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  first.close();
  BOOST_TEST(second.invoke("{}").payload == "1");
  second.close();
  BOOST_TEST(function.open().invoke("{}").payload == "1");
}

BOOST_AUTO_TEST_SUITE_END()
