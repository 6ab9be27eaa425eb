// What lambed tells about running functions: log records and usage.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace [[gnu::visibility("default")]] lambed {

enum class LogKind {
  kFunctionStdout,  // text as the function wrote it; lines end in \n
  kFunctionStderr,
  kFunctionLog,  // a line of logging / console / Logger, in Lambda's format
  kInitStart,    // "INIT_START Runtime Version: ..."
  kStart,        // "START RequestId: ID Version: V"
  kEnd,          // "END RequestId: ID"
  kReport,       // "REPORT RequestId: ID\tDuration: ..."
  kNotice        // for the operator: function_name may be empty
};

// One record. The views are valid during LogSink::write only. Platform records (INIT_START, START, END, REPORT) carry
// their text ready made in `text`, as CloudWatch would show it.
struct LogRecord {
  LogKind kind;
  std::string_view function_name;
  std::string_view log_group;
  std::string_view log_stream;
  std::string_view request_id;  // empty outside of an invocation
  std::chrono::system_clock::time_point time;
  std::string_view text;
};

// Where log records go. `write` is called from the threads of the environments, records of one environment one after the
// other, different environments at the same time: implementations are thread-safe and quick, and must not call the gateway.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(const LogRecord& record) = 0;
};

// Writes every record to file descriptor 2, a whole record per write(2). Platform records only when `platform` is true.
std::shared_ptr<LogSink> make_stderr_sink(bool platform = true);

struct StoredLogRecord {
  LogKind kind;
  std::string function_name, log_group, log_stream, request_id;
  std::chrono::system_clock::time_point time;
  std::string text;
};

// Keeps the newest records in memory, up to `capacity_bytes` of text. Thread-safe.
class MemoryLogSink : public LogSink {
 public:
  explicit MemoryLogSink(std::size_t capacity_bytes = 1 << 20);
  ~MemoryLogSink() override;
  void write(const LogRecord& record) override;
  // Oldest first; only of that function when a name is given.
  std::vector<StoredLogRecord> records(std::string_view function_name = {}) const;
  // The texts of records(), one after the other.
  std::string text(std::string_view function_name = {}) const;
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a function has used since it was created, in the billing step of the gateway's quotas.
struct FunctionUsage {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // function errors, timeouts included
  std::uint64_t timeouts = 0;
  std::uint64_t throttles = 0;  // 429s; not counted as requests
  std::uint64_t cold_starts = 0;
  std::uint64_t gb_milliseconds_x1024 =
      0;  // billed milliseconds x memory in MB (1 GB-second = 1,024,000 of these)
  double gb_seconds() const { return static_cast<double>(gb_milliseconds_x1024) / 1'024'000.0; }
};

}  // namespace lambed
