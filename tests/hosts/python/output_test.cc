// What a function prints and logs.
#include <regex>

#include "hosts/python/python_fixture.h"

using namespace lambed::testing;
using nlohmann::json;

BOOST_AUTO_TEST_SUITE(python_output)

BOOST_AUTO_TEST_CASE(print_gives_one_record_a_line_on_its_stream) {
  PythonFunction function(R"(
import sys
print('init')
def handler(event, context):
    print('one', 2, {'three': 3})
    print('to stderr', file=sys.stderr)
    print('no newline', end='')
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.log() == "init\n");
  environment.invoke("{}");
  const std::vector<LogRecord> records = environment.log_records();
  BOOST_TEST_REQUIRE(records.size() == 4u);
  BOOST_TEST(records[1].bytes == "one 2 {'three': 3}\n");
  BOOST_TEST(records[1].stream == LAMBED_STREAM_STDOUT);
  BOOST_TEST(records[2].bytes == "to stderr\n");
  BOOST_TEST(records[2].stream == LAMBED_STREAM_STDERR);
  BOOST_TEST(records[3].bytes.starts_with("no newline"));  // a gateway ends it
}

BOOST_AUTO_TEST_CASE(every_way_to_write_reaches_the_log_in_order, *boost::unit_test::label("in_process")) {
  PythonFunction function(R"(
import os, sys
def handler(event, context):
    n = sys.stdout.write('w\u00e9\n')
    sys.stdout.writelines(['a\n', 'b\n'])
    sys.stdout.buffer.write(b'bytes\n')
    os.write(1, b'descriptor\n')
    sys.__stdout__.write('original\n')
    print('surrogate \ud800')
    context.log('by context\n')
    sys.stdout.flush()
    return [n, sys.stdout.isatty(), sys.stdout.encoding, sys.stdin.read()]
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"([3, false, "utf-8", ""])");
  BOOST_TEST(environment.log() ==
             "w\u00e9\na\nb\nbytes\ndescriptor\noriginal\nsurrogate \\ud800\nby context\n");
}

BOOST_AUTO_TEST_CASE(what_is_written_to_streams_and_descriptors_reaches_the_log) {
  PythonFunction function(R"(
import os, sys
def handler(event, context):
    sys.stdout.buffer.write(b'bytes\n')
    os.write(1, b'descriptor\n')
    sys.__stdout__.write('original\n')
    context.log('by context\n')
    return [sys.stdout.isatty(), sys.stdout.encoding, sys.stdin.read()]
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == R"([false, "utf-8", ""])");
  for (const std::string line : {"bytes\n", "descriptor\n", "original\n", "by context\n"})
    BOOST_TEST(environment.log().find(line) != std::string::npos, line);
}

BOOST_AUTO_TEST_CASE(environments_do_not_mix_their_output) {
  PythonFunction function("def handler(event, context):\n    print(event)\n");
  const HarnessEnvironment first = function.open();
  const HarnessEnvironment second = function.open();
  first.invoke("\"from the first\"");
  second.invoke("\"from the second\"");
  BOOST_TEST(first.log() == "from the first\n");
  BOOST_TEST(second.log() == "from the second\n");
}

BOOST_AUTO_TEST_CASE(threads_of_a_handler_print_to_its_log) {
  PythonFunction function(R"(
import threading, warnings
def handler(event, context):
    thread = threading.Thread(target=lambda: print('from a thread'))
    thread.start()
    thread.join()
    failing = threading.Thread(target=lambda: 1 / 0)
    failing.start()
    failing.join()
)");
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDOUT) == "from a thread\n");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDERR).find("ZeroDivisionError") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(child_processes_write_to_the_log) {
  PythonFunction function(R"(
import os, subprocess, sys
def handler(event, context):
    subprocess.run(['echo', 'from a child'])
    subprocess.run('echo to stderr >&2', shell=True)
    os.system('echo from system')
    subprocess.run(['echo', 'redirected'], stdout=sys.stderr)
    return subprocess.run(['cat'], capture_output=True).stdout.decode()
)");
  const HarnessEnvironment environment = function.open();
  BOOST_TEST(environment.invoke("{}").payload == "\"\"");  // cat finds nothing on stdin
  BOOST_TEST(environment.log(LAMBED_STREAM_STDOUT) == "from a child\nfrom system\n");
  BOOST_TEST(environment.log(LAMBED_STREAM_STDERR) == "to stderr\nredirected\n");
}

BOOST_AUTO_TEST_CASE(logging_has_the_format_of_lambda_and_its_level) {
  PythonFunction function(R"(
import logging
logging.warning('in init')
def handler(event, context):
    logger = logging.getLogger('app')
    logger.info('not shown')
    logger.warning('shown %d', 1)
    logging.getLogger().setLevel(logging.INFO)
    logger.info('now shown')
)");
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  const std::string time = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";
  const std::string id = InvocationSpec().request_id;
  const std::regex expected("\\[WARNING\\]\t" + time + "\t\tin init\n\\[WARNING\\]\t" + time + "\t" + id +
                            "\tshown 1\n" + "\\[INFO\\]\t" + time + "\t" + id + "\tnow shown\n");
  BOOST_TEST(std::regex_match(environment.log(LAMBED_STREAM_LOG), expected), environment.log());
}

BOOST_AUTO_TEST_CASE(the_level_comes_from_the_functions_variable) {
  PythonFunction function(
      "import logging\ndef handler(event, context):\n    logging.getLogger().debug('deep')\n");
  function.spec.variables = {{"AWS_LAMBDA_LOG_LEVEL", "DEBUG"}};
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  BOOST_TEST(environment.log().find("[DEBUG]\t") == 0u);
}

BOOST_AUTO_TEST_CASE(json_logs_carry_fields) {
  PythonFunction function(R"(
import logging
logger = logging.getLogger('orders')
def handler(event, context):
    logger.error('failed %s', 'x', extra={'order': 7})
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception('with a stack')
)");
  function.spec.json_logs = true;
  const HarnessEnvironment environment = function.open();
  environment.invoke("{}");
  const std::vector<LogRecord> records = environment.log_records();
  BOOST_TEST_REQUIRE(records.size() == 2u);
  json first = json::parse(records[0].bytes);
  BOOST_TEST(std::regex_match(first["timestamp"].get<std::string>(),
                              std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
  first.erase("timestamp");
  const json expected = {{"level", "ERROR"},
                         {"message", "failed x"},
                         {"logger", "orders"},
                         {"requestId", InvocationSpec().request_id},
                         {"order", 7}};
  BOOST_TEST(first == expected);
  const json second = json::parse(records[1].bytes);
  BOOST_TEST(second["errorType"] == "ZeroDivisionError");
  BOOST_TEST(second["errorMessage"] == "division by zero");
  BOOST_TEST(second["stackTrace"].size() == 1u);
  BOOST_TEST(second["location"].get<std::string>().find("app.py:handler:") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
