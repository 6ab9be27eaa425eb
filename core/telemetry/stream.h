// The log of one execution environment: puts what the handler writes and what Lambda says about it in order,
// and hands it to the sink as records.
//
// An invocation is `begin`, any number of `write`, `end`. Output between invocations (init code, threads that
// a handler left running) carries no request id. Any thread may write; begin and end come from the thread
// that runs the environment or from whoever ends its invocation for it. A mutex serialises them: the records
// of one environment reach the sink one after the other, as LogSink promises.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "lambed/function.h"
#include "lambed/telemetry.h"
#include "telemetry/platform_lines.h"

namespace lambed::telemetry {

// How much of an invocation's log a caller gets who asks for the tail (LogType Tail).
inline constexpr std::size_t kTailBytes = 4096;

struct LogStreamNames {
  std::string function_name;
  std::string function_version;
  std::string log_group;
  std::string log_stream;
};

class LogStream {
 public:
  LogStream(std::shared_ptr<LogSink> sink, LogStreamNames names, LogFormat format);
  ~LogStream();  // writes out what is left of unfinished lines
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  // "INIT_START ...": once, before the handler's file is loaded. `runtime_version` is like "python:3.11.2".
  void init_start(std::string_view runtime_version, std::string_view runtime_version_arn);
  // Writes START and files what follows under `request_id`. With `want_tail`, `end` returns the tail. `time` {}: now.
  void begin(std::string_view request_id, bool want_tail, WallTime time = {});
  // Output of the handler: kFunctionStdout, kFunctionStderr or kFunctionLog. Text goes on as whole lines; an
  // unfinished line waits for its rest, at most until the invocation ends. `time` {}: now.
  void write(LogKind kind, std::string_view bytes, WallTime time = {});
  // Finishes unfinished lines, writes END and REPORT. The tail: the last kTailBytes of all that was written
  // since `begin`, platform lines included; empty unless asked for.
  std::string end(const ReportLine& report, WallTime time = {});

 private:
  struct UnfinishedLine {
    std::string text;
    WallTime time{};
  };

  void emit(LogKind kind, std::string_view text, WallTime time);
  void finish_lines();
  UnfinishedLine& unfinished(LogKind kind);

  const std::shared_ptr<LogSink> sink_;
  const LogStreamNames names_;
  const bool json_;
  const bool sink_listens_;  // false for the null sink: then only a wanted tail costs anything

  std::mutex mutex_;  // guards all that follows
  std::string request_id_;
  std::string line_;  // kept for its capacity
  std::string tail_;
  bool want_tail_ = false;
  std::array<UnfinishedLine, 3> unfinished_;
};

}  // namespace lambed::telemetry
