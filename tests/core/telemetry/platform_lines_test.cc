#include "telemetry/platform_lines.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace lambed::telemetry;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kId = "8f2b4d52-11aa-4b0e-9e3e-0123456789ab";

std::string report_text(const ReportLine& report) {
  std::string line;
  append_report(line, kId, report);
  return line;
}

nlohmann::json json_report(const ReportLine& report) {
  std::string line;
  append_json_report(line, WallTime{1732442400123ms}, kId, report);
  BOOST_TEST(line.back() == '\n');
  return nlohmann::json::parse(line);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(platform_lines)

BOOST_AUTO_TEST_CASE(start_and_end_name_the_request) {
  std::string line;
  append_start(line, kId, "$LATEST");
  append_end(line, kId);
  BOOST_TEST(line ==
             "START RequestId: 8f2b4d52-11aa-4b0e-9e3e-0123456789ab Version: $LATEST\n"
             "END RequestId: 8f2b4d52-11aa-4b0e-9e3e-0123456789ab\n");
}

BOOST_AUTO_TEST_CASE(init_start_names_runtime_and_arn) {
  std::string line;
  append_init_start(line, "python:3.11.2", "arn:aws:lambda:us-east-1::runtime:x");
  BOOST_TEST(line ==
             "INIT_START Runtime Version: python:3.11.2\tRuntime Version ARN: "
             "arn:aws:lambda:us-east-1::runtime:x\n");
}

BOOST_AUTO_TEST_CASE(init_start_without_an_arn_does_not_promise_one) {
  std::string line;
  append_init_start(line, "python:3.11.2", "");
  BOOST_TEST(line == "INIT_START Runtime Version: python:3.11.2\n");
}

BOOST_AUTO_TEST_CASE(a_warm_report_has_a_trailing_tab_and_no_init) {
  BOOST_TEST(
      report_text({.duration = 3'010'000ns,
                   .billed_duration = 4ms,
                   .memory_size_mb = 128,
                   .max_memory_used_mb = 36}) ==
      "REPORT RequestId: 8f2b4d52-11aa-4b0e-9e3e-0123456789ab\tDuration: 3.01 ms\tBilled Duration: 4 ms\t"
      "Memory Size: 128 MB\tMax Memory Used: 36 MB\t\n");
}

BOOST_AUTO_TEST_CASE(a_cold_report_adds_the_init_duration) {
  const std::string line =
      report_text({.duration = 1'005'000ns, .billed_duration = 100ms, .init_duration = 110'100'000ns});
  BOOST_TEST(line.ends_with("\tInit Duration: 110.10 ms\t\n"));
}

BOOST_AUTO_TEST_CASE(durations_are_rounded_to_two_decimals) {
  BOOST_TEST(report_text({.duration = 4'999ns}).find("Duration: 0.00 ms") != std::string::npos);
  BOOST_TEST(report_text({.duration = 5'000ns}).find("Duration: 0.01 ms") != std::string::npos);
  BOOST_TEST(report_text({.duration = 9'999'999ns}).find("Duration: 10.00 ms") != std::string::npos);
  BOOST_TEST(report_text({.duration = 900s}).find("Duration: 900000.00 ms") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(failures_name_their_status) {
  BOOST_TEST(report_text({.status = ReportStatus::kTimeout}).ends_with("MB\tStatus: timeout\n"));
  BOOST_TEST(report_text({.status = ReportStatus::kError, .error_type = "Runtime.ExitError"})
                 .ends_with("MB\tStatus: error\tError Type: Runtime.ExitError\n"));
  BOOST_TEST(report_text({.status = ReportStatus::kError}).ends_with("MB\tStatus: error\n"));
}

BOOST_AUTO_TEST_CASE(json_records_carry_the_same) {
  std::string line;
  append_json_start(line, WallTime{1732442400123ms}, kId, "$LATEST");
  const auto start = nlohmann::json::parse(line);
  BOOST_TEST(start["type"] == "platform.start");
  BOOST_TEST(start["time"] == "2024-11-24T10:00:00.123Z");
  BOOST_TEST(start["record"]["requestId"] == std::string(kId));
  BOOST_TEST(start["record"]["version"] == "$LATEST");

  const auto warm = json_report(
      {.duration = 3'010'000ns, .billed_duration = 4ms, .memory_size_mb = 128, .max_memory_used_mb = 36});
  BOOST_TEST(warm["type"] == "platform.report");
  BOOST_TEST(warm["record"]["status"] == "success");
  BOOST_TEST(
      warm["record"]["metrics"] ==
      nlohmann::json(
          {{"durationMs", 3.01}, {"billedDurationMs", 4}, {"memorySizeMB", 128}, {"maxMemoryUsedMB", 36}}));

  const auto cold =
      json_report({.init_duration = 1'500'000ns, .status = ReportStatus::kError, .error_type = "A\"B"});
  BOOST_TEST(cold["record"]["metrics"]["initDurationMs"] == 1.5);
  BOOST_TEST(cold["record"]["errorType"] == "A\"B");

  line.clear();
  append_json_init_start(line, WallTime{}, "python:3.11.2", "arn", "hello", "1");
  BOOST_TEST(nlohmann::json::parse(line)["record"]["runtimeVersion"] == "python:3.11.2");
}

BOOST_AUTO_TEST_CASE(json_strings_are_escaped) {
  std::string text;
  const std::string raw = "a\"b\\c\n\r\t\x01 \xc3\xa4";
  append_json_string(text, raw);
  BOOST_TEST(nlohmann::json::parse(text).get<std::string>() == raw);
}

BOOST_AUTO_TEST_SUITE_END()
