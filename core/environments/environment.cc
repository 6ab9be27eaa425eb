#include "environments/environment.h"

#include <cstdio>
#include <cstdlib>

#include "environments/told_options.h"

namespace lambed::environments {
namespace {

using enum EnvironmentState;

bool legal(EnvironmentState from, EnvironmentState to) {
  switch (to) {
    case kOpening:
      return false;
    case kFinishing:
      return from == kOpening || from == kBusy;
    case kIdle:
      return from == kFinishing || from == kWoken;
    case kWoken:
      return from == kIdle;
    case kBusy:
      return from == kFinishing || from == kWoken || from == kIdle;
    case kInterrupting:
      return from == kOpening || from == kBusy;
    case kAbandoned:
      return from == kInterrupting || from == kClosing;
    case kClosing:
      return from != kClosed && from != kClosing;
    case kClosed:
      return from == kClosing;
  }
  return false;
}

}  // namespace

Environment::Environment(std::shared_ptr<EnvironmentOwner> owner, Host& host, EnvironmentSpec spec,
                         std::shared_ptr<LogSink> sink)
    : owner_(std::move(owner)),
      host_(host),
      spec_(std::move(spec)),
      sink_(sink),
      log_(std::move(sink), {spec_.function_name, spec_.function_version, spec_.log_group, spec_.log_stream},
           spec_.json_logs ? LogFormat::kJson : LogFormat::kText) {}

Result<void> Environment::open(Nanos init_deadline) {
  const ToldOptions options(spec_, this, init_deadline);
  log_.init_start(std::string(host_.language()) + ":" + host_.interpreter_version(), {});
  std::lock_guard lock(host_.opening());
  return host_.open(*this, options.get(), &handle_);
}

void Environment::write_log(lambed_stream stream, std::string_view bytes, std::int64_t realtime_us) {
  LogKind kind = LogKind::kFunctionStdout;
  if (stream == LAMBED_STREAM_STDERR) kind = LogKind::kFunctionStderr;
  if (stream == LAMBED_STREAM_LOG) kind = LogKind::kFunctionLog;
  telemetry::WallTime time{};
  if (realtime_us != 0) time = telemetry::WallTime(std::chrono::microseconds(realtime_us));
  log_.write(kind, bytes, time);
}

void Environment::write_notice(std::string_view text) {
  LogRecord record{};
  record.kind = LogKind::kNotice;
  record.function_name = spec_.function_name;
  record.log_group = spec_.log_group;
  record.log_stream = spec_.log_stream;
  record.time = std::chrono::system_clock::now();
  const std::string line = std::string(text) + "\n";
  record.text = line;
  sink_->write(record);
}

void Environment::measure() {
  lambed_usage usage{};
  usage.size = sizeof usage;
  host_.api().usage(handle_, &usage);
  if (usage.memory_peak > memory_peak) memory_peak = usage.memory_peak;
}

void Environment::move_to(EnvironmentState next) {
  if (!legal(state_, next)) {
    std::fprintf(stderr, "lambed: an environment of %s cannot go from state %d to %d\n",
                 spec_.function_name.c_str(), static_cast<int>(state_), static_cast<int>(next));
    std::abort();
  }
  state_ = next;
}

}  // namespace lambed::environments
