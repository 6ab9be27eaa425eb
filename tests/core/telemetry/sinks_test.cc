#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "lambed/telemetry.h"
#include "telemetry/descriptor_sink.h"

using namespace lambed;

namespace {

LogRecord record(LogKind kind, std::string_view text, std::string_view function = "hello") {
  return {kind, function, "/aws/lambda/hello", "stream", "id-1", std::chrono::system_clock::time_point{},
          text};
}

struct Pipe {
  Pipe() { BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }
  std::string read_available() const {
    std::string text;
    char buffer[65536];
    pollfd readable{ends[0], POLLIN, 0};
    while (::poll(&readable, 1, 0) == 1 && (readable.revents & POLLIN) != 0) {
      const ssize_t size = ::read(ends[0], buffer, sizeof buffer);
      if (size <= 0) break;
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
  }
  int ends[2] = {-1, -1};

 private:
  void close_end(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sinks)

BOOST_AUTO_TEST_CASE(a_descriptor_sink_writes_whole_lines) {
  Pipe pipe;
  const auto sink = telemetry::make_descriptor_sink(pipe.ends[1], true);
  sink->write(record(LogKind::kStart, "START\n"));
  sink->write(record(LogKind::kNotice, "no newline"));
  sink->write(record(LogKind::kFunctionStdout, ""));
  BOOST_TEST(pipe.read_available() == "START\nno newline\n");
}

BOOST_AUTO_TEST_CASE(platform_records_can_be_left_out) {
  Pipe pipe;
  const auto sink = telemetry::make_descriptor_sink(pipe.ends[1], false);
  for (const LogKind kind : {LogKind::kInitStart, LogKind::kStart, LogKind::kEnd, LogKind::kReport}) {
    sink->write(record(kind, "platform\n"));
  }
  sink->write(record(LogKind::kFunctionLog, "mine\n"));
  BOOST_TEST(pipe.read_available() == "mine\n");
}

BOOST_AUTO_TEST_CASE(a_reader_that_has_gone_away_does_not_end_the_program) {
  Pipe pipe;
  const auto sink = telemetry::make_descriptor_sink(pipe.ends[1], true);
  pipe.close_reader();
  sink->write(record(LogKind::kStart, "START\n"));  // SIGPIPE with its default action would end this process
  sigset_t pending;
  sigpending(&pending);
  BOOST_TEST(sigismember(&pending, SIGPIPE) == 0);
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  BOOST_TEST(sigismember(&blocked, SIGPIPE) == 0);
}

BOOST_AUTO_TEST_CASE(a_slow_reader_of_a_nonblocking_pipe_still_gets_everything) {
  Pipe pipe;
  BOOST_REQUIRE(::fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK) == 0);
  const auto sink = telemetry::make_descriptor_sink(pipe.ends[1], true);
  const std::string text = std::string(1 << 20, 'x') + '\n';  // sixteen times what a pipe holds
  std::thread writer([&] { sink->write(record(LogKind::kFunctionStdout, text)); });
  std::string got;
  char buffer[65536];
  while (got.size() < text.size()) {
    pollfd readable{pipe.ends[0], POLLIN, 0};
    if (::poll(&readable, 1, 10'000) != 1) break;
    const ssize_t size = ::read(pipe.ends[0], buffer, sizeof buffer);
    if (size <= 0) break;
    got.append(buffer, static_cast<std::size_t>(size));
  }
  writer.join();
  BOOST_TEST((got == text));
}

BOOST_AUTO_TEST_CASE(memory_keeps_records_oldest_first_with_all_members) {
  MemoryLogSink sink;
  sink.write(record(LogKind::kStart, "one\n"));
  sink.write(record(LogKind::kEnd, "two\n", "other"));
  const auto all = sink.records();
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(all[0].text == "one\n");
  BOOST_TEST((all[0].kind == LogKind::kStart));
  BOOST_TEST(all[0].function_name == "hello");
  BOOST_TEST(all[0].log_group == "/aws/lambda/hello");
  BOOST_TEST(all[0].log_stream == "stream");
  BOOST_TEST(all[0].request_id == "id-1");
  BOOST_TEST(sink.text() == "one\ntwo\n");
  BOOST_TEST(sink.text("other") == "two\n");
  BOOST_TEST(sink.records("absent").empty());
  sink.clear();
  BOOST_TEST(sink.records().empty());
}

BOOST_AUTO_TEST_CASE(memory_drops_the_oldest_when_it_is_full) {
  MemoryLogSink sink(8192);
  for (int i = 0; i < 10'000; ++i) sink.write(record(LogKind::kFunctionStdout, std::to_string(i) + "\n"));
  const auto kept = sink.records();
  BOOST_REQUIRE(!kept.empty());
  BOOST_TEST(kept.back().text == "9999\n");
  for (std::size_t i = 0; i < kept.size(); ++i) {
    BOOST_TEST(kept[i].text == std::to_string(10'000 - kept.size() + i) + "\n");
    BOOST_TEST(kept[i].log_group == "/aws/lambda/hello");
  }
}

BOOST_AUTO_TEST_CASE(memory_keeps_the_end_of_a_record_larger_than_itself) {
  MemoryLogSink sink(4096);
  sink.write(record(LogKind::kFunctionStdout, std::string(100'000, 'x') + "end\n"));
  const std::string text = sink.text();
  BOOST_TEST(text.size() <= 4096u);
  BOOST_TEST(text.size() > 3000u);
  BOOST_TEST(text.ends_with("xend\n"));
}

BOOST_AUTO_TEST_CASE(memory_takes_records_from_many_threads) {
  MemoryLogSink sink(4 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&sink, t] {
      const std::string name = "function-" + std::to_string(t);
      for (int i = 0; i < 1000; ++i)
        sink.write(record(LogKind::kFunctionStdout, std::to_string(i) + "\n", name));
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(sink.records().size() == 4000u);
  for (int t = 0; t < 4; ++t) {
    const auto mine = sink.records("function-" + std::to_string(t));
    BOOST_REQUIRE(mine.size() == 1000u);
    BOOST_TEST(mine.front().text == "0\n");
    BOOST_TEST(mine.back().text == "999\n");
  }
}

BOOST_AUTO_TEST_SUITE_END()
