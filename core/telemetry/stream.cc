#include "telemetry/stream.h"

#include <utility>

#include "telemetry/null_sink.h"

namespace lambed::telemetry {
namespace {

// A line without an end is passed on in pieces of this size (the longest event that CloudWatch Logs takes),
// so that a handler which never writes a newline cannot fill the memory.
constexpr std::size_t kLongestLine = 256 * 1024;

WallTime now_unless(WallTime time) { return time == WallTime{} ? std::chrono::system_clock::now() : time; }

}  // namespace

LogStream::LogStream(std::shared_ptr<LogSink> sink, LogStreamNames names, LogFormat format)
    : sink_(std::move(sink)),
      names_(std::move(names)),
      json_(format == LogFormat::kJson),
      sink_listens_(sink_ != nullptr && dynamic_cast<NullLogSink*>(sink_.get()) == nullptr) {}

LogStream::~LogStream() { finish_lines(); }

void LogStream::init_start(std::string_view runtime_version, std::string_view runtime_version_arn) {
  if (!sink_listens_) return;
  const std::lock_guard lock(mutex_);
  const WallTime now = std::chrono::system_clock::now();
  line_.clear();
  if (json_) {
    append_json_init_start(line_, now, runtime_version, runtime_version_arn, names_.function_name,
                           names_.function_version);
  } else {
    append_init_start(line_, runtime_version, runtime_version_arn);
  }
  emit(LogKind::kInitStart, line_, now);
}

void LogStream::begin(std::string_view request_id, bool want_tail, WallTime time) {
  const std::lock_guard lock(mutex_);
  finish_lines();
  request_id_ = request_id;
  tail_.clear();  // of an invocation that was answered before it ended, and so never took its own
  want_tail_ = want_tail;
  if (!sink_listens_ && !want_tail_) return;
  const WallTime now = now_unless(time);
  line_.clear();
  if (json_) {
    append_json_start(line_, now, request_id_, names_.function_version);
  } else {
    append_start(line_, request_id_, names_.function_version);
  }
  emit(LogKind::kStart, line_, now);
}

void LogStream::write(LogKind kind, std::string_view bytes, WallTime time) {
  if (bytes.empty()) return;
  const std::lock_guard lock(mutex_);
  if (!sink_listens_ && !want_tail_) return;
  UnfinishedLine& begun = unfinished(kind);
  const std::size_t last_newline = bytes.rfind('\n');
  if (last_newline != std::string_view::npos) {
    const std::string_view lines = bytes.substr(0, last_newline + 1);
    if (begun.text.empty()) {
      emit(kind, lines, now_unless(time));
    } else {
      begun.text += lines;
      emit(kind, begun.text, begun.time);
      begun.text.clear();
    }
    bytes.remove_prefix(lines.size());
    if (bytes.empty()) return;
  }
  if (begun.text.empty()) begun.time = now_unless(time);
  begun.text += bytes;
  if (begun.text.size() >= kLongestLine) {
    emit(kind, begun.text, begun.time);
    begun.text.clear();
  }
}

std::string LogStream::end(const ReportLine& report, WallTime time) {
  const std::lock_guard lock(mutex_);
  finish_lines();
  std::string tail;
  if (sink_listens_ || want_tail_) {
    const WallTime now = now_unless(time);
    if (json_) {
      line_.clear();
      append_json_report(line_, now, request_id_, report);
    } else {
      line_.clear();
      append_end(line_, request_id_);
      emit(LogKind::kEnd, line_, now);
      line_.clear();
      append_report(line_, request_id_, report);
    }
    emit(LogKind::kReport, line_, now);
    if (want_tail_)
      tail = tail_.size() <= kTailBytes ? std::move(tail_) : tail_.substr(tail_.size() - kTailBytes);
  }
  request_id_.clear();
  tail_.clear();
  want_tail_ = false;
  return tail;
}

void LogStream::emit(LogKind kind, std::string_view text, WallTime time) {
  if (want_tail_) {
    // Trimmed only when it has grown to twice the size: moving the kept part for every line would be
    // quadratic.
    tail_ += text.size() <= kTailBytes ? text : text.substr(text.size() - kTailBytes);
    if (tail_.size() > 2 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
  if (!sink_listens_) return;
  sink_->write({kind, names_.function_name, names_.log_group, names_.log_stream, request_id_, time, text});
}

void LogStream::finish_lines() {
  for (const LogKind kind : {LogKind::kFunctionStdout, LogKind::kFunctionStderr, LogKind::kFunctionLog}) {
    UnfinishedLine& begun = unfinished(kind);
    if (begun.text.empty()) continue;
    begun.text += '\n';
    emit(kind, begun.text, begun.time);
    begun.text.clear();
  }
}

LogStream::UnfinishedLine& LogStream::unfinished(LogKind kind) {
  switch (kind) {
    case LogKind::kFunctionStdout:
      return unfinished_[0];
    case LogKind::kFunctionStderr:
      return unfinished_[1];
    default:
      return unfinished_[2];
  }
}

}  // namespace lambed::telemetry
