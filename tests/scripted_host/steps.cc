// What the verbs of a script do.
#include <algorithm>
#include <chrono>

#include "environment.h"

namespace scripted {
namespace {

bool is_gate_open_for(std::string_view& argument) {
  // "GATE,TYPE": looks whether the gate is open without waiting, and leaves TYPE.
  const std::size_t comma = argument.find(',');
  const std::string gate(argument.substr(0, comma));
  argument = comma == std::string_view::npos ? std::string_view("GateClosed") : argument.substr(comma + 1);
  return is_gate_open(gate);
}

}  // namespace

bool Environment::step(const Step& step, const lambed_invocation* invocation, Answer& answer) {
  const std::string_view verb = step.verb;
  const std::string_view argument = step.argument;
  if (verb == "sleep") return pass_time(number(argument), true);
  if (verb == "stuck") return pass_time(number(argument), false);
  if (verb == "wait") return pass_gate(argument, true);
  if (verb == "gate") return pass_gate(argument, false);
  if (verb == "deaf" || verb == "late") {
    says_meanwhile_.store(verb == "deaf" ? LAMBED_INTERRUPT_UNSUPPORTED : LAMBED_INTERRUPT_WAITING);
    pass_gate(argument, false);
    says_meanwhile_.store(LAMBED_INTERRUPT_PENDING);
    return true;
  }
  if (verb == "spin") {
    while (!is_interrupted()) {
    }
    return false;
  }
  if (verb == "discard") {
    answer.flags |= LAMBED_OUTCOME_DISCARD;
    return true;
  }
  if (verb == "memory") {
    memory_peak_.store(static_cast<std::uint64_t>(number(argument)) << 20);
    return true;
  }
  if (log_step(step) || deed_step(step, answer)) return true;
  answer_step(step, invocation, answer);
  return true;
}

bool Environment::log_step(const Step& step) {
  const std::string_view verb = step.verb;
  if (verb == "out") {
    log_lines(LAMBED_STREAM_STDOUT, verb, number(step.argument));
  } else if (verb == "err") {
    log_lines(LAMBED_STREAM_STDERR, verb, number(step.argument));
  } else if (verb == "log") {
    log_lines(LAMBED_STREAM_LOG, verb, number(step.argument));
  } else if (verb == "print") {
    log(LAMBED_STREAM_STDOUT, std::string(step.argument) + "\n");
  } else if (verb == "write") {
    log(LAMBED_STREAM_STDOUT, step.argument);
  } else {
    return false;
  }
  return true;
}

bool Environment::answer_step(const Step& step, const lambed_invocation* invocation, Answer& answer) {
  const std::string_view verb = step.verb;
  std::string_view argument = step.argument;
  if (verb == "closed") {
    if (is_gate_open_for(argument)) return true;
  }
  if (verb == "fail" || verb == "closed") {
    answer.kind = LAMBED_OUTCOME_FUNCTION_ERROR;
    answer.error_type = argument;
    answer.payload = "{\"errorMessage\":\"scripted failure\",\"errorType\":" + quoted(argument) +
                     ",\"requestId\":" +
                     quoted(invocation != nullptr ? view(invocation->request_id) : std::string_view{}) +
                     ",\"stackTrace\":[]}";
  } else if (verb == "exit") {
    answer.kind = LAMBED_OUTCOME_EXITED;
    answer.exit_code = static_cast<int>(number(argument));
    answer.payload.clear();
  } else if (verb == "signal") {
    answer.kind = LAMBED_OUTCOME_EXITED;
    answer.term_signal = static_cast<int>(number(argument));
    answer.payload.clear();
  } else if (verb == "oom") {
    answer.kind = LAMBED_OUTCOME_OUT_OF_MEMORY;
    answer.payload.clear();
  } else if (verb == "refuse") {
    answer.kind = LAMBED_OUTCOME_REFUSED;
    answer.payload = argument;
  } else if (verb == "text") {
    answer.payload = quoted(argument);
  } else if (verb == "bytes") {
    const auto size = static_cast<std::size_t>(std::max(2L, number(argument)));
    answer.payload.assign(size, 'x');
    answer.payload.front() = answer.payload.back() = '"';
  } else if (verb == "raw") {
    answer.payload = argument;
    answer.flags |= LAMBED_OUTCOME_BINARY;
  } else if (invocation == nullptr) {
    return false;
  } else if (verb == "stamp") {
    answer.payload = "{\"event\":" + std::string(view(invocation->event)) +
                     ",\"tag\":" + quoted(variable("TAG")) + ",\"function_id\":" + quoted(function_id_) +
                     ",\"version\":" + quoted(function_version_) +
                     ",\"environment\":" + std::to_string(serial_) + "}";
  } else if (verb == "identify") {
    answer.payload = identity_document(*invocation);
  } else if (verb == "remaining") {
    answer.payload = std::to_string((invocation->deadline - world().core->monotonic_ns()) / 1'000'000);
  } else {
    return false;
  }
  return true;
}

void Environment::log(lambed_stream stream, std::string_view text) {
  world().core->log(user_, stream, slice(text), 0);
}

void Environment::log_lines(lambed_stream stream, std::string_view word, long count) {
  for (long i = 1; i <= count; ++i) log(stream, std::string(word) + " " + std::to_string(i) + "\n");
}

std::string Environment::variable(std::string_view name) const {
  for (const auto& [key, value] : variables_) {
    if (key == name) return value;
  }
  return {};
}

std::string Environment::identity_document(const lambed_invocation& invocation) const {
  std::string document = "{";
  const auto member = [&document](std::string_view name, const std::string& json) {
    if (document.size() > 1) document += ',';
    document += quoted(name) + ":" + json;
  };
  const auto json_or_null = [](lambed_slice json) {
    return json.size == 0 ? std::string("null") : std::string(view(json));
  };
  std::string layers = "[";
  for (const std::string& layer : layers_) layers += (layers.size() > 1 ? "," : "") + quoted(layer);
  std::string variables = "{";
  for (const auto& [name, value] : variables_) {
    variables += (variables.size() > 1 ? "," : "") + quoted(name) + ":" + quoted(value);
  }
  member("function", quoted(function_name_));
  member("version", quoted(function_version_));
  member("function_id", quoted(function_id_));
  member("code_id", quoted(code_id_));
  member("runtime", quoted(runtime_));
  member("handler", quoted(handler_));
  member("task_root", quoted(task_root_));
  member("layers", layers + "]");
  member("variables", variables + "}");
  member("memory_limit", std::to_string(memory_limit_));
  member("log_group", quoted(log_group_));
  member("log_stream", quoted(log_stream_));
  member("environment", std::to_string(serial_));
  member("served", std::to_string(served_));
  member("request_id", quoted(view(invocation.request_id)));
  member("invoked_function_arn", quoted(view(invocation.invoked_function_arn)));
  member("function_version", quoted(view(invocation.function_version)));
  member("client_context", json_or_null(invocation.client_context));
  member("cognito_identity", json_or_null(invocation.cognito_identity));
  member("trace_id", quoted(view(invocation.trace_id)));
  member("tenant_id", quoted(view(invocation.tenant_id)));
  member("deadline", std::to_string(invocation.deadline));
  member("deadline_epoch_ms", std::to_string(invocation.deadline_epoch_ms));
  return document + "}";
}

}  // namespace scripted
