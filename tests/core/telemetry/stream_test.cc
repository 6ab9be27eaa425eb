#include "telemetry/stream.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "telemetry/null_sink.h"

using namespace lambed;
using namespace lambed::telemetry;
using namespace std::chrono_literals;

namespace {

const LogStreamNames kNames{"hello", "$LATEST", "/aws/lambda/hello", "2025/11/24/[$LATEST]00"};
const ReportLine kReport{
    .duration = 3'010'000ns, .billed_duration = 4ms, .memory_size_mb = 128, .max_memory_used_mb = 36};
const std::string kReportText =
    "REPORT RequestId: id-1\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: "
    "36 MB\t\n";

struct Fixture {
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  LogStream stream{sink, kNames, LogFormat::kText};
};

// Not thread-safe on purpose: the records of one stream must arrive one after the other.
struct CountingSink : LogSink {
  void write(const LogRecord& record) override {
    lines += record.text == "line\n" ? 1 : 0;
    reports += record.kind == LogKind::kReport ? 1 : 0;
  }
  int lines = 0;
  int reports = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(log_stream, Fixture)

BOOST_AUTO_TEST_CASE(an_invocation_is_framed_by_start_end_and_report) {
  stream.begin("id-1", false);
  stream.write(LogKind::kFunctionStdout, "hi\n");
  BOOST_TEST(stream.end(kReport).empty());
  BOOST_TEST(sink->text() ==
             "START RequestId: id-1 Version: $LATEST\nhi\nEND RequestId: id-1\n" + kReportText);
  for (const StoredLogRecord& record : sink->records()) {
    BOOST_TEST(record.request_id == "id-1");
    BOOST_TEST(record.function_name == "hello");
    BOOST_TEST(record.log_group == "/aws/lambda/hello");
    BOOST_TEST((record.time != WallTime{}));
  }
}

BOOST_AUTO_TEST_CASE(a_line_written_in_pieces_is_one_record) {
  stream.begin("id-1", false);
  stream.write(LogKind::kFunctionStdout, "he");
  stream.write(LogKind::kFunctionStderr, "other\n");
  stream.write(LogKind::kFunctionStdout, "llo\nrest");
  stream.end(kReport);
  const auto records = sink->records();
  BOOST_REQUIRE(records.size() == 6u);
  BOOST_TEST(records[1].text == "other\n");
  BOOST_TEST(records[2].text == "hello\n");
  BOOST_TEST(records[3].text == "rest\n");  // finished by the end of the invocation
  BOOST_TEST((records[3].kind == LogKind::kFunctionStdout));
  BOOST_TEST((records[4].kind == LogKind::kEnd));
}

BOOST_AUTO_TEST_CASE(output_between_invocations_carries_no_request_id) {
  stream.write(LogKind::kFunctionStdout, "init\n");
  stream.begin("id-1", false);
  stream.end(kReport);
  stream.write(LogKind::kFunctionStdout, "late\n");
  stream.write(LogKind::kFunctionStdout, "later");
  stream.begin("id-2", false);
  const auto records = sink->records();
  BOOST_REQUIRE(records.size() == 7u);
  BOOST_TEST(records[0].request_id.empty());
  BOOST_TEST(records[4].text == "late\n");
  BOOST_TEST(records[4].request_id.empty());
  BOOST_TEST(records[5].text == "later\n");
  BOOST_TEST(records[5].request_id.empty());
  BOOST_TEST(records[6].request_id == "id-2");
}

BOOST_AUTO_TEST_CASE(the_tail_holds_the_whole_of_a_short_log) {
  stream.write(LogKind::kFunctionStdout, "before\n");
  stream.begin("id-1", true);
  stream.write(LogKind::kFunctionLog, "[INFO]\tline\n");
  const std::string tail = stream.end(kReport);
  BOOST_TEST(tail ==
             "START RequestId: id-1 Version: $LATEST\n[INFO]\tline\nEND RequestId: id-1\n" + kReportText);
}

BOOST_AUTO_TEST_CASE(the_tail_is_the_last_4096_bytes_of_a_long_log) {
  stream.begin("id-1", true);
  for (int i = 0; i < 5000; ++i) stream.write(LogKind::kFunctionStdout, std::to_string(i) + "\n");
  stream.write(LogKind::kFunctionStdout, std::string(10'000, 'y') + "\n");
  const std::string tail = stream.end(kReport);
  BOOST_TEST(tail.size() == kTailBytes);
  BOOST_TEST(tail.ends_with("yyy\nEND RequestId: id-1\n" + kReportText));
  BOOST_TEST(tail.front() == 'y');
  // The sink got all of it, untrimmed.
  bool whole_line_reached_the_sink = false;
  for (const StoredLogRecord& record : sink->records())
    whole_line_reached_the_sink |= record.text.size() == 10'001;
  BOOST_TEST(whole_line_reached_the_sink);
}

BOOST_AUTO_TEST_CASE(a_tail_is_forgotten_after_its_invocation) {
  stream.begin("id-1", true);
  stream.end(kReport);
  stream.begin("id-2", false);
  BOOST_TEST(stream.end(kReport).empty());
}

BOOST_AUTO_TEST_CASE(a_tail_that_nobody_took_is_not_the_next_ones) {
  stream.begin("id-1", true);
  stream.write(LogKind::kFunctionStdout, "a secret\n");
  stream.begin("id-2", true);
  const std::string tail = stream.end(kReport);
  BOOST_TEST(tail.starts_with("START RequestId: id-2 Version: $LATEST\nEND RequestId: id-2\n"));
  BOOST_TEST(tail.find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_tail_works_without_a_sink) {
  LogStream quiet(make_null_sink(), kNames, LogFormat::kText);
  quiet.begin("id-1", true);
  quiet.write(LogKind::kFunctionStdout, "hi");
  BOOST_TEST(quiet.end(kReport) ==
             "START RequestId: id-1 Version: $LATEST\nhi\nEND RequestId: id-1\n" + kReportText);
  quiet.begin("id-2", false);
  quiet.write(LogKind::kFunctionStdout, "hi");
  BOOST_TEST(quiet.end(kReport).empty());
}

BOOST_AUTO_TEST_CASE(a_line_without_an_end_is_passed_on_before_it_fills_the_memory) {
  const auto large = std::make_shared<MemoryLogSink>(8 << 20);
  LogStream endless(large, kNames, LogFormat::kText);
  endless.begin("id-1", false);
  for (int i = 0; i < 1024; ++i) endless.write(LogKind::kFunctionStdout, std::string(1024, 'z'));
  BOOST_TEST(large->records().size() == 1u + 4u);  // START and pieces of 256 KB
}

BOOST_AUTO_TEST_CASE(what_is_unfinished_when_the_environment_closes_is_not_lost) {
  {
    LogStream closing(sink, kNames, LogFormat::kText);
    closing.write(LogKind::kFunctionStderr, "last words");
  }
  BOOST_TEST(sink->text() == "last words\n");
}

BOOST_AUTO_TEST_CASE(init_start_comes_before_the_first_invocation) {
  stream.init_start("python:3.11.2", "arn");
  BOOST_TEST(sink->text() == "INIT_START Runtime Version: python:3.11.2\tRuntime Version ARN: arn\n");
  BOOST_TEST((sink->records()[0].kind == LogKind::kInitStart));
}

BOOST_AUTO_TEST_CASE(json_format_writes_objects_and_no_end) {
  LogStream json(sink, kNames, LogFormat::kJson);
  json.init_start("python:3.11.2", "arn");
  json.begin("id-1", false);
  json.end(kReport);
  const auto records = sink->records();
  BOOST_REQUIRE(records.size() == 3u);
  const char* const types[] = {"platform.initStart", "platform.start", "platform.report"};
  for (std::size_t i = 0; i < records.size(); ++i) {
    BOOST_TEST(nlohmann::json::parse(records[i].text)["type"] == types[i]);
  }
}

BOOST_AUTO_TEST_CASE(threads_of_a_handler_may_write_at_any_time) {
  const auto counting = std::make_shared<CountingSink>();
  LogStream shared(counting, kNames, LogFormat::kText);
  std::atomic<int> written{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        shared.write(LogKind::kFunctionStdout, "line\n");
        ++written;
      }
    });
  }
  int invocations = 0;
  while (written < 6000) {
    shared.begin("id-1", invocations % 2 == 0);
    shared.end(kReport);
    ++invocations;
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(counting->lines == 6000);
  BOOST_TEST(counting->reports == invocations);
}

BOOST_AUTO_TEST_SUITE_END()
