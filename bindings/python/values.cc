#include "values.h"

#include <pybind11/stl.h>

#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>

namespace lambed::bindings {
namespace {

// Sets `member` when the dictionary has the key with a value other than None, and remembers which keys were used.
class Members {
 public:
  explicit Members(const py::dict& members) : members_(members) {}

  template <typename T>
  Members& into(const char* key, T& member) {
    if (const py::handle value = find(key)) member = value.cast<T>();
    return *this;
  }
  template <typename T>
  Members& into(const char* key, std::optional<T>& member) {
    if (const py::handle value = find(key)) member = value.cast<T>();
    return *this;
  }
  Members& seconds(const char* key, std::chrono::milliseconds& member) {
    if (const py::handle value = find(key)) {
      const auto given = value.cast<double>();
      if (!(given >= 0.0))
        throw py::value_error(std::string(key) + " must be a number of seconds, 0 or more");
      member = std::chrono::milliseconds(std::llround(given * 1000.0));
    }
    return *this;
  }
  Members& count(const char* key, int& member) {
    into(key, member);
    if (member < 0) throw py::value_error(std::string(key) + " must be a number, 0 or more");
    return *this;
  }
  Members& code(Code& member) {
    const py::handle value = find("code");
    if (!value) return *this;
    const auto [kind, content] = value.cast<std::pair<std::string, py::object>>();
    if (kind == "directory") {
      member = Code::directory(content.cast<std::string>());
    } else if (kind == "zip") {
      member = Code::zip(content.cast<std::string>());  // bytes
    } else {
      member = Code::inline_source(content.cast<std::string>());
    }
    return *this;
  }
  Members& log_format(std::optional<LogFormat>& member) {
    if (const py::handle value = find("log_format"))
      member = is_second("log_format", value, "Text", "JSON") ? LogFormat::kJson : LogFormat::kText;
    return *this;
  }
  // A dictionary with all members of lambed.VpcConfig.
  Members& vpc_config(std::optional<VpcConfig>& member) {
    if (const py::handle value = find("vpc_config")) {
      member.emplace();
      Members(value.cast<py::dict>())
          .into("subnet_ids", member->subnet_ids)
          .into("security_group_ids", member->security_group_ids)
          .into("ipv6_allowed_for_dual_stack", member->ipv6_allowed_for_dual_stack);
    }
    return *this;
  }
  Members& networks(std::vector<Vpc>& member) {
    if (const py::handle value = find("networks")) member = networks_from_json(value.cast<std::string>());
    return *this;
  }
  Members& isolation(Isolation& member) {
    if (const py::handle value = find("isolation"))
      member = is_second("isolation", value, "in_process", "process") ? Isolation::kProcess
                                                                      : Isolation::kInProcess;
    return *this;
  }

 private:
  // Which of two words it is; ValueError for any other.
  static bool is_second(const char* key, py::handle value, const std::string& first,
                        const std::string& second) {
    const auto word = value.cast<std::string>();
    if (word != first && word != second)
      throw py::value_error(std::string(key) + " must be '" + first + "' or '" + second + "', not '" + word +
                            "'");
    return word == second;
  }
  py::handle find(const char* key) const {
    if (!members_.contains(key)) return {};
    const py::handle value = members_[key];
    return value.is_none() ? py::handle() : value;
  }
  const py::dict& members_;
};

class NoLog : public LogSink {
 public:
  void write(const LogRecord&) override {}
};

Quotas quotas_named(const std::string& name) {
  if (name == "classic") return Quotas::classic();
  if (name == "current") return Quotas::current();
  throw py::value_error("quotas must be 'classic' or 'current', not '" + name + "'");
}

const char* name_of(LogKind kind) {
  switch (kind) {
    case LogKind::kFunctionStdout:
      return "stdout";
    case LogKind::kFunctionStderr:
      return "stderr";
    case LogKind::kFunctionLog:
      return "log";
    case LogKind::kInitStart:
      return "init_start";
    case LogKind::kStart:
      return "start";
    case LogKind::kEnd:
      return "end";
    case LogKind::kReport:
      return "report";
    case LogKind::kNotice:
      return "notice";
  }
  return "notice";
}

py::object dict_of(const std::optional<VpcConfig>& c) {
  using py::literals::operator""_a;
  if (!c) return py::none();
  return py::dict("subnet_ids"_a = c->subnet_ids, "security_group_ids"_a = c->security_group_ids,
                  "ipv6_allowed_for_dual_stack"_a = c->ipv6_allowed_for_dual_stack, "vpc_id"_a = c->vpc_id);
}

py::str lenient(const std::string& text) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

}  // namespace

GatewayOptions gateway_options(const py::dict& options) {
  GatewayOptions made;
  std::string quotas = "classic", log = "stderr";
  Members members(options);
  members.into("quotas", quotas)
      .into("log", log)
      .into("region", made.region)
      .into("account", made.account)
      .seconds("idle_expiry", made.idle_expiry)
      .seconds("freeze_after", made.freeze_after)
      .seconds("max_lifetime", made.max_lifetime)
      .into("require_strict_isolation", made.require_strict_isolation)
      .count("worker_stock", made.worker_stock)
      .seconds("interrupt_grace", made.interrupt_grace)
      .seconds("close_grace", made.close_grace)
      .into("max_environments", made.max_environments)
      .into("max_abandoned_environments", made.max_abandoned_environments)
      .seconds("async_retry_base", made.async_retry_base)
      .seconds("async_close_wait", made.async_close_wait)
      .into("max_waiting_events", made.max_waiting_events)
      .into("aws_endpoint_url", made.aws_endpoint_url)
      .into("allow_host_loopback", made.allow_host_loopback)
      .networks(made.networks)
      .into("host_options", made.host_options);
  made.quotas = quotas_named(quotas);
  members.into("account_concurrency", made.quotas.account_concurrency);
  if (log == "memory") {
    made.log_sink = std::make_shared<MemoryLogSink>();
  } else if (log == "none") {
    made.log_sink = std::make_shared<NoLog>();
  } else if (log != "stderr") {
    throw py::value_error("log must be 'stderr', 'memory' or 'none', not '" + log + "'");
  }
  return made;
}

CreateFunctionRequest create_request(const py::dict& members) {
  CreateFunctionRequest request;
  std::optional<LogFormat> log_format;
  Members(members)
      .into("name", request.name)
      .into("runtime", request.runtime)
      .into("handler", request.handler)
      .code(request.code)
      .into("description", request.description)
      .into("timeout", request.timeout_s)
      .into("memory", request.memory_mb)
      .into("environment", request.environment)
      .into("layers", request.layers)
      .into("tags", request.tags)
      .into("role", request.role)
      .log_format(log_format)
      .into("ephemeral_storage", request.ephemeral_storage_mb)
      .into("publish", request.publish)
      .into("dead_letter_target", request.dead_letter_target_arn)
      .isolation(request.isolation)
      .vpc_config(request.vpc_config);
  request.log_format = log_format.value_or(LogFormat::kText);
  return request;
}

UpdateCodeRequest update_code_request(const py::dict& members) {
  UpdateCodeRequest request;
  Members(members)
      .into("name", request.name)
      .code(request.code)
      .into("publish", request.publish)
      .into("dry_run", request.dry_run)
      .into("revision_id", request.revision_id);
  return request;
}

UpdateConfigurationRequest update_configuration_request(const py::dict& members) {
  UpdateConfigurationRequest request;
  Members(members)
      .into("name", request.name)
      .into("runtime", request.runtime)
      .into("handler", request.handler)
      .into("description", request.description)
      .into("timeout", request.timeout_s)
      .into("memory", request.memory_mb)
      .into("environment", request.environment)
      .into("layers", request.layers)
      .into("role", request.role)
      .log_format(request.log_format)
      .into("ephemeral_storage", request.ephemeral_storage_mb)
      .into("dead_letter_target", request.dead_letter_target_arn)
      .vpc_config(request.vpc_config)
      .into("revision_id", request.revision_id);
  return request;
}

PublishVersionRequest publish_request(const py::dict& members) {
  PublishVersionRequest request;
  Members(members)
      .into("name", request.name)
      .into("description", request.description)
      .into("code_sha256", request.code_sha256)
      .into("revision_id", request.revision_id);
  return request;
}

AliasRequest alias_request(const py::dict& members) {
  AliasRequest request;
  Members(members)
      .into("function", request.function)
      .into("alias", request.alias)
      .into("version", request.version)
      .into("description", request.description)
      .into("weights", request.weights)
      .into("revision_id", request.revision_id);
  return request;
}

EventInvokeRequest event_invoke_request(const py::dict& members) {
  EventInvokeRequest request;
  Members(members)
      .into("function", request.function)
      .into("qualifier", request.qualifier)
      .into("maximum_retry_attempts", request.maximum_retry_attempts)
      .into("maximum_event_age", request.maximum_event_age_s)
      .into("on_success", request.on_success)
      .into("on_failure", request.on_failure);
  return request;
}

py::dict to_dict(const FunctionConfiguration& c) {
  using py::literals::operator""_a;
  return py::dict(
      "function_name"_a = c.function_name, "function_arn"_a = c.function_arn, "version"_a = c.version,
      "runtime"_a = c.runtime, "handler"_a = c.handler, "description"_a = c.description, "role"_a = c.role,
      "timeout"_a = c.timeout_s, "memory"_a = c.memory_mb, "ephemeral_storage"_a = c.ephemeral_storage_mb,
      "environment"_a = c.environment, "layers"_a = c.layers,
      "log_format"_a = c.log_format == LogFormat::kJson ? "JSON" : "Text", "log_group"_a = c.log_group,
      "dead_letter_target"_a = c.dead_letter_target_arn, "vpc_config"_a = dict_of(c.vpc_config),
      "isolation"_a = c.isolation == Isolation::kProcess ? "process" : "in_process",
      "code_sha256"_a = c.code_sha256, "code_size"_a = c.code_size, "revision_id"_a = c.revision_id,
      "last_modified"_a = c.last_modified, "state"_a = c.state,
      "last_update_status"_a = c.last_update_status);
}

py::dict to_dict(const AliasConfiguration& c) {
  using py::literals::operator""_a;
  return py::dict("alias_arn"_a = c.alias_arn, "name"_a = c.name, "function_version"_a = c.function_version,
                  "description"_a = c.description, "revision_id"_a = c.revision_id, "weights"_a = c.weights);
}

py::dict to_dict(const EventInvokeConfiguration& c) {
  using py::literals::operator""_a;
  return py::dict("function_arn"_a = c.function_arn, "maximum_retry_attempts"_a = c.maximum_retry_attempts,
                  "maximum_event_age"_a = c.maximum_event_age_s, "on_success"_a = c.on_success,
                  "on_failure"_a = c.on_failure,
                  "last_modified"_a = static_cast<double>(c.last_modified_ms) / 1000.0);
}

static double seconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

py::dict to_dict(const EventOutcome& o) {
  using py::literals::operator""_a;
  return py::dict("request_id"_a = o.request_id, "function_arn"_a = o.function_arn,
                  "state"_a = std::string(name_of(o.state)), "condition"_a = o.condition,
                  "attempts"_a = o.attempts, "function_error"_a = o.function_error,
                  "payload"_a = py::bytes(o.payload), "executed_version"_a = o.executed_version,
                  "accepted"_a = seconds_of(o.accepted), "ended"_a = seconds_of(o.ended));
}

py::dict to_dict(const EventStatus& s) {
  using py::literals::operator""_a;
  return py::dict("request_id"_a = s.request_id, "function_arn"_a = s.function_arn,
                  "state"_a = std::string(name_of(s.state)), "attempts"_a = s.attempts,
                  "accepted"_a = seconds_of(s.accepted),
                  "ended"_a = s.ended ? std::optional(seconds_of(*s.ended)) : std::nullopt,
                  "condition"_a = s.condition, "function_error"_a = s.function_error);
}

py::dict to_dict(const EventCounts& c) {
  using py::literals::operator""_a;
  return py::dict("received"_a = c.received, "succeeded"_a = c.succeeded, "dropped"_a = c.dropped,
                  "retries"_a = c.retries,
                  "destination_delivery_failures"_a = c.destination_delivery_failures,
                  "dead_letter_errors"_a = c.dead_letter_errors, "waiting"_a = c.waiting);
}

py::dict to_dict(const DeadLetter& d) {
  using py::literals::operator""_a;
  static constexpr const char* kKinds[] = {"DeadLetter", "OnSuccess", "OnFailure"};
  const auto seconds = [](std::int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000.0; };
  return py::dict(
      "id"_a = d.id, "kind"_a = kKinds[static_cast<int>(d.kind)], "function_name"_a = d.function_name,
      "function_arn"_a = d.function_arn, "request_id"_a = d.request_id, "condition"_a = d.condition,
      "approximate_invoke_count"_a = d.approximate_invoke_count, "has_response"_a = d.has_response,
      "status_code"_a = d.status_code, "function_error"_a = d.function_error,
      "executed_version"_a = d.executed_version, "error_code"_a = d.error_code,
      "error_message"_a = lenient(d.error_message), "accepted"_a = seconds(d.accepted_ms),
      "ended"_a = seconds(d.ended_ms), "stored"_a = seconds(d.stored_ms), "request_size"_a = d.request_size,
      "request_payload"_a = py::bytes(d.request_payload),
      "response_payload"_a = py::bytes(d.response_payload), "response_is_binary"_a = d.response_is_binary);
}

py::dict to_dict(const Redrive& r) {
  using py::literals::operator""_a;
  py::list failures;
  for (const Redrive::Failure& failure : r.failures)
    failures.append(py::make_tuple(failure.id, lenient(failure.problem)));
  return py::dict("redriven"_a = r.redriven, "failed"_a = r.failed, "failures"_a = failures);
}

py::dict to_dict(const FunctionUsage& u) {
  using py::literals::operator""_a;
  return py::dict("requests"_a = u.requests, "errors"_a = u.errors, "timeouts"_a = u.timeouts,
                  "throttles"_a = u.throttles, "cold_starts"_a = u.cold_starts,
                  "gb_seconds"_a = u.gb_seconds());
}

py::dict to_dict(const GatewayStatus& s) {
  using py::literals::operator""_a;
  return py::dict("opening"_a = s.opening, "idle"_a = s.idle, "busy"_a = s.busy,
                  "interrupting"_a = s.interrupting, "abandoned"_a = s.abandoned, "in_flight"_a = s.in_flight,
                  "late_completions"_a = s.late_completions);
}

py::dict to_dict(const HostReport& r) {
  using py::literals::operator""_a;
  return py::dict("language"_a = r.language, "plugin_path"_a = r.plugin_path,
                  "interpreter_version"_a = r.interpreter_version, "interpreter_path"_a = r.interpreter_path,
                  "available"_a = r.available, "problem"_a = r.problem);
}

py::dict to_dict(const StoredLogRecord& r) {
  using py::literals::operator""_a;
  const double time = std::chrono::duration<double>(r.time.time_since_epoch()).count();
  return py::dict("kind"_a = name_of(r.kind), "function_name"_a = r.function_name,
                  "log_group"_a = r.log_group, "log_stream"_a = r.log_stream, "request_id"_a = r.request_id,
                  "time"_a = time, "text"_a = lenient(r.text));
}

}  // namespace lambed::bindings
