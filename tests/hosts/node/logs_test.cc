// console in Lambda's formats, the standard streams raw.
#include <regex>

#include "node_fixture.h"

namespace {

using namespace lambed::testing;
using nlohmann::json;

constexpr const char* kTime = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)";

InvocationSpec request(const std::string& id) {
  InvocationSpec invocation;
  invocation.request_id = id;
  return invocation;
}

BOOST_AUTO_TEST_SUITE(logs)

BOOST_AUTO_TEST_CASE(console_lines_carry_time_request_and_level) {
  const NodeFunction function(R"(
    console.log('at init');
    exports.handler = async () => {
      console.log('a %s', 'b', { c: 1 }); console.info('i'); console.debug('d'); console.warn('w'); console.error('e'); console.trace('t'); console.fatal('f');
    };)");
  function.environment().invoke(request("id-1"));
  const std::string expected =
      std::string() + kTime + "\tundefined\tINFO\tat init\n" + kTime + "\tid-1\tINFO\ta b \\{ c: 1 \\}\n" +
      kTime + "\tid-1\tINFO\ti\n" + kTime + "\tid-1\tDEBUG\td\n" + kTime + "\tid-1\tWARN\tw\n" + kTime +
      "\tid-1\tERROR\te\n" + kTime + "\tid-1\tTRACE\tt\n" + kTime + "\tid-1\tFATAL\tf\n";
  const std::string log = function.environment().log(LAMBED_STREAM_LOG);
  BOOST_TEST(std::regex_match(log, std::regex(expected)), log);
}

BOOST_AUTO_TEST_CASE(each_console_call_is_one_record) {
  const NodeFunction function(
      "exports.handler = async () => { console.log('two\\nlines'); console.log('ü€😀'); };");
  function.run();
  const auto records = function.environment().log_records();
  BOOST_REQUIRE(records.size() == 2);
  BOOST_TEST(records[0].bytes.ends_with("\tINFO\ttwo\nlines\n"));
  BOOST_TEST(records[1].bytes.ends_with("\tINFO\tü€😀\n"));
}

BOOST_AUTO_TEST_CASE(the_standard_streams_can_be_opened_by_name) {
  const NodeFunction function(R"(
    const fs = require('fs');
    exports.handler = async () => {
      fs.writeFileSync('/dev/stdout', 'output\n');
      fs.appendFileSync('/dev/stderr', 'error\n');
      return [process.stdout.isTTY ?? null, process.stdout.fd, process.stderr.fd];
    };)");
  BOOST_TEST(function.result() == json({nullptr, 1, 2}));
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDOUT) == "output\n");
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDERR) == "error\n");
}

BOOST_AUTO_TEST_CASE(the_standard_streams_are_raw, *boost::unit_test::label("in_process")) {
  const NodeFunction function(R"(
    const fs = require('fs');
    exports.handler = async () => {
      process.stdout.write('out,'); process.stdout.write(Buffer.from('bytes,')); process.stdout.write('c3bc', 'hex');
      process.stderr.write('err,');
      fs.writeSync(1, ',sync'); fs.writeSync(2, Buffer.from('xyz'), 1, 1);
      fs.writeFileSync('/dev/stdout', ',file');
      await new Promise((resolve) => fs.write(1, ',async', resolve));
      console.table([{ a: 1 }]);
      return [process.stdout.isTTY ?? null, process.stdout.fd, process.stderr.fd];
    };)");
  BOOST_TEST(function.result() == json({nullptr, 1, 2}));
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDOUT).starts_with("out,bytes,ü,sync,file,async"));
  BOOST_TEST(function.environment().log(LAMBED_STREAM_STDERR) == "err,y");
}

BOOST_AUTO_TEST_CASE(json_logs_have_lambdas_fields) {
  EnvironmentSpec spec;
  spec.json_logs = true;
  const NodeFunction function(R"(
    exports.handler = async () => { console.log('a %d', 1); console.warn({ key: 'value' }); console.error('failed', new TypeError('boom')); };)",
                              spec);
  function.environment().invoke(request("id-2"));
  const auto records = function.environment().log_records();
  BOOST_REQUIRE(records.size() == 3);
  const json first = json::parse(records[0].bytes);
  BOOST_TEST(first["level"] == "INFO");
  BOOST_TEST(first["message"] == "a 1");
  BOOST_TEST(first["requestId"] == "id-2");
  BOOST_TEST(std::regex_match(std::string(first["timestamp"]), std::regex(kTime)));
  BOOST_TEST(json::parse(records[1].bytes)["message"] == json({{"key", "value"}}));
  const json third = json::parse(records[2].bytes);
  BOOST_TEST(third["level"] == "ERROR");
  BOOST_TEST(third["errorType"] == "TypeError");
  BOOST_TEST(third["errorMessage"] == "boom");
  BOOST_TEST(third["stackTrace"].size() > 0);
}

BOOST_AUTO_TEST_CASE(the_log_level_filters_json_logs) {
  EnvironmentSpec spec;
  spec.json_logs = true;
  spec.variables = {{"AWS_LAMBDA_LOG_LEVEL", "WARN"}};
  const NodeFunction function("exports.handler = async () => { console.log('no'); console.warn('yes'); };",
                              spec);
  function.run();
  BOOST_TEST(function.environment().log_records().size() == 1);
}

BOOST_AUTO_TEST_CASE(errors_in_json_logs_are_records_too) {
  EnvironmentSpec spec;
  spec.json_logs = true;
  const NodeFunction function("exports.handler = async () => { throw new RangeError('boom'); };", spec);
  function.run();
  const json record = json::parse(function.environment().log_records().at(0).bytes);
  BOOST_TEST(record["level"] == "ERROR");
  BOOST_TEST(record["errorType"] == "RangeError");
}

BOOST_AUTO_TEST_CASE(warnings_of_node_do_not_reach_the_application) {
  const NodeFunction function(
      "exports.handler = async () => { process.emitWarning('careful'); await new Promise((r) => "
      "setTimeout(r, 5)); };");
  function.run();
  BOOST_TEST(function.environment().wait_log("careful"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
