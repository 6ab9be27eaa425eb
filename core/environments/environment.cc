#include "environments/environment.h"

#include <cstdio>
#include <cstdlib>

namespace lambed::environments {
namespace {

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

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
  std::vector<lambed_slice> layers;
  for (const std::string& layer : spec_.layers) layers.push_back(slice(layer));
  std::vector<lambed_variable> variables;
  for (const auto& [name, value] : spec_.variables) variables.push_back({slice(name), slice(value)});

  lambed_environment_options options{};
  options.size = sizeof options;
  options.user = this;
  options.function_name = slice(spec_.function_name);
  options.function_version = slice(spec_.function_version);
  options.function_id = slice(spec_.function_id);
  options.code_id = slice(spec_.code_id);
  options.runtime = slice(spec_.runtime);
  options.handler = slice(spec_.handler);
  options.task_root = slice(spec_.task_root);
  options.layers = layers.data();
  options.layer_count = layers.size();
  options.variables = variables.data();
  options.variable_count = variables.size();
  options.memory_limit = spec_.memory_limit;
  options.init_deadline = init_deadline;
  options.log_group = slice(spec_.log_group);
  options.log_stream = slice(spec_.log_stream);
  options.json_logs = spec_.json_logs ? 1 : 0;

  log_.init_start(std::string(host_.language()) + ":" + host_.interpreter_version(), {});
  std::lock_guard lock(host_.opening());
  return host_.open(*this, options, &handle_);
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
