// The log of an invocation: records for the sink, the tail for the caller.
#include <algorithm>
#include <regex>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

std::string decoded(const std::string& base64) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  BOOST_TEST(base64.size() % 4 == 0u);
  for (const char c : base64) {
    if (c == '=') break;
    const std::size_t digit = kDigits.find(c);
    BOOST_REQUIRE(digit != std::string_view::npos);
    bits = (bits << 6) | static_cast<unsigned>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> count) & 0xff);
    }
  }
  return bytes;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

struct LogsFixture : GatewayFixture {
  LogsFixture() { create("hello", "echo"); }
  InvokeResult run(const std::string& script, bool tail = true) {
    return gateway.invoke({.function = "hello", .payload = do_script(script), .log_tail = tail});
  }
};

BOOST_FIXTURE_TEST_SUITE(logs, LogsFixture)

BOOST_AUTO_TEST_CASE(an_invocation_is_framed_by_start_end_and_report) {
  run("text=warm");
  log->clear();
  const InvokeResult result = run("memory=36;out=2;err=1;log=1");
  const std::vector<std::string> lines = lines_of(log->text("hello"));
  BOOST_REQUIRE(lines.size() == 7u);
  BOOST_TEST(lines[0] == "START RequestId: " + result.request_id + " Version: $LATEST");
  BOOST_TEST(lines[1] == "out 1");
  BOOST_TEST(lines[2] == "out 2");
  BOOST_TEST(lines[3] == "err 1");
  BOOST_TEST(lines[4] == "log 1");
  BOOST_TEST(lines[5] == "END RequestId: " + result.request_id);
  const std::regex report("REPORT RequestId: " + result.request_id +
                          R"(\tDuration: \d+\.\d\d ms\tBilled Duration: 100 ms\tMemory Size: 128 MB\t)" +
                          R"(Max Memory Used: 36 MB\t)");
  BOOST_TEST(std::regex_match(lines[6], report), lines[6]);
}

BOOST_AUTO_TEST_CASE(the_report_of_a_cold_start_tells_the_init_duration) {
  run("text=cold");
  run("text=warm");
  std::vector<std::string> reports;
  for (const StoredLogRecord& record : log->records("hello")) {
    if (record.kind == LogKind::kReport) reports.push_back(record.text);
  }
  BOOST_REQUIRE(reports.size() == 2u);
  BOOST_TEST(std::regex_search(reports[0], std::regex(R"(\tInit Duration: \d+\.\d\d ms\t\n?$)")), reports[0]);
  BOOST_TEST(reports[1].find("Init Duration") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(records_say_what_they_are_and_where_they_come_from) {
  const InvokeResult result = run("out=1;err=1;log=1");
  const std::vector<LogKind> expected = {
      LogKind::kInitStart,   LogKind::kStart, LogKind::kFunctionStdout, LogKind::kFunctionStderr,
      LogKind::kFunctionLog, LogKind::kEnd,   LogKind::kReport};
  const std::vector<StoredLogRecord> records = log->records("hello");
  BOOST_REQUIRE(records.size() == expected.size());
  const std::regex stream(R"(\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32})");
  for (std::size_t i = 0; i < records.size(); ++i) {
    BOOST_TEST_CONTEXT(records[i].text) {
      BOOST_TEST((records[i].kind == expected[i]));
      BOOST_TEST(records[i].function_name == "hello");
      BOOST_TEST(records[i].log_group == "/aws/lambda/hello");
      BOOST_TEST(std::regex_match(records[i].log_stream, stream), records[i].log_stream);
      BOOST_TEST(records[i].log_stream == records.front().log_stream);
      BOOST_TEST(records[i].request_id == (i == 0 ? "" : result.request_id));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_log_of_an_invocation_is_complete_when_its_answer_arrives) {
  for (int i = 0; i < 50; ++i) {
    log->clear();
    run("out=20", false);
    const std::string text = log->text("hello");
    BOOST_REQUIRE(text.find("out 20\n") != std::string::npos);
    BOOST_REQUIRE(text.find("REPORT RequestId: ") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_line_is_one_record_however_it_was_written) {
  run("write=one ;write=line;write=, whole;out=1;write=unfinished");
  std::vector<std::string> written;
  for (const StoredLogRecord& record : log->records("hello")) {
    if (record.kind == LogKind::kFunctionStdout) written.push_back(lines_of(record.text).at(0));
  }
  const std::vector<std::string> expected = {"one line, wholeout 1", "unfinished"};
  BOOST_TEST(written == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_tail_comes_only_when_asked_for) {
  BOOST_TEST(run("out=1", false).log_tail == "");
  BOOST_TEST(run("out=1", true).log_tail != "");
}

BOOST_AUTO_TEST_CASE(the_tail_is_the_log_of_this_invocation_in_base64) {
  run("print=earlier");
  log->clear();
  const InvokeResult result = run("out=3");
  const std::string tail = decoded(result.log_tail);
  BOOST_TEST(tail == log->text("hello"));
  BOOST_TEST(tail.find("START RequestId: " + result.request_id) == 0u);
  BOOST_TEST(tail.find("earlier") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_tail_of_a_long_log_is_its_last_4_kilobytes) {
  run("text=warm");
  log->clear();
  const std::string tail = decoded(run("out=2000").log_tail);
  const std::string whole = log->text("hello");
  BOOST_TEST(tail.size() == 4096u);
  BOOST_TEST(whole.size() > 4096u);
  BOOST_TEST((whole.substr(whole.size() - 4096) == tail));
}

BOOST_AUTO_TEST_CASE(a_failed_invocation_has_a_report_and_a_tail_too) {
  const InvokeResult result = run("print=before;fail=E");
  const std::string tail = decoded(result.log_tail);
  BOOST_TEST(tail.find("before\n") != std::string::npos);
  BOOST_TEST(tail.find("REPORT RequestId: " + result.request_id) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_timed_out_invocation_has_a_report_and_a_tail_too) {
  gateway.update_function_configuration({.name = "hello", .timeout_s = 1});
  const InvokeResult result = run("print=before;sleep=60000");
  const std::string tail = decoded(result.log_tail);
  BOOST_TEST(tail.find("before\n") != std::string::npos);
  BOOST_TEST(tail.find("Task timed out after 1.00 seconds") != std::string::npos);
  BOOST_TEST(tail.find("REPORT RequestId: " + result.request_id) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(logs_of_invocations_at_the_same_time_do_not_mix) {
  create("other", "echo");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 16; ++i) {
    calls.push_back(
        gateway.invoke_future({.function = i % 2 == 0 ? "hello" : "other",
                               .payload = do_script("print=word" + std::to_string(i) + "x;out=20"),
                               .log_tail = true}));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const InvokeResult result = result_of(calls[i]);
    const std::string tail = decoded(result.log_tail);
    for (std::size_t k = 0; k < calls.size(); ++k) {
      const bool found = tail.find("word" + std::to_string(k) + "x") != std::string::npos;
      BOOST_TEST(found == (i == k));
    }
  }
  for (const StoredLogRecord& record : log->records("other")) BOOST_TEST(record.function_name == "other");
}

// A worker is killed: nothing of it is left to be abandoned.
BOOST_AUTO_TEST_CASE(output_of_an_abandoned_handler_never_reaches_another_invocation_s_tail,
                     *boost::unit_test::label("in_process")) {
  GatewayOptions impatient = options();
  impatient.interrupt_grace = 50ms;
  Gateway other(impatient);
  CreateFunctionRequest request = function("hello", "echo");
  request.timeout_s = 1;
  other.create_function(request);
  Gate gate;
  other.invoke({.function = "hello", .payload = do_script("gate=" + gate.name() + ";print=ghost")});
  BOOST_TEST(await([&] { return other.status().abandoned == 1; }));
  auto next = other.invoke_future({.function = "hello", .payload = do_script("sleep=200"), .log_tail = true});
  gate.open();
  BOOST_TEST(decoded(result_of(next).log_tail).find("ghost") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
