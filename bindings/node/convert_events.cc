#include "convert.h"

namespace lambed::node_binding {
namespace {

constexpr const char* kDeadLetterKinds[] = {"DeadLetter", "OnSuccess", "OnFailure"};

}  // namespace

Napi::Value to_js(Napi::Env env, const EventInvokeConfiguration& c) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("functionArn", c.function_arn);
  if (c.maximum_retry_attempts) object.Set("maximumRetryAttempts", *c.maximum_retry_attempts);
  if (c.maximum_event_age_s) object.Set("maximumEventAge", *c.maximum_event_age_s);
  object.Set("onSuccess", c.on_success);
  object.Set("onFailure", c.on_failure);
  object.Set("lastModified", Napi::Date::New(env, static_cast<double>(c.last_modified_ms)));
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<EventInvokeConfiguration>& configurations) {
  return list_to_js(env, configurations);
}

static Napi::Value time_to_js(Napi::Env env, std::chrono::system_clock::time_point time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return Napi::Date::New(env, static_cast<double>(ms));
}

Napi::Value to_js(Napi::Env env, const EventOutcome& outcome) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("requestId", outcome.request_id);
  object.Set("functionArn", outcome.function_arn);
  object.Set("state", text_to_js(env, name_of(outcome.state)));
  object.Set("condition", outcome.condition);
  object.Set("attempts", outcome.attempts);
  object.Set("functionError", outcome.function_error);
  // Parsed in JavaScript.
  object.Set("payload", Napi::Buffer<char>::Copy(env, outcome.payload.data(), outcome.payload.size()));
  object.Set("executedVersion", outcome.executed_version);
  object.Set("accepted", time_to_js(env, outcome.accepted));
  object.Set("ended", time_to_js(env, outcome.ended));
  return object;
}

Napi::Value to_js(Napi::Env env, const EventStatus& status) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("requestId", status.request_id);
  object.Set("functionArn", status.function_arn);
  object.Set("state", text_to_js(env, name_of(status.state)));
  object.Set("attempts", status.attempts);
  object.Set("accepted", time_to_js(env, status.accepted));
  if (status.ended) {
    object.Set("ended", time_to_js(env, *status.ended));
    object.Set("condition", status.condition);
    object.Set("functionError", status.function_error);
  }
  return object;
}

Napi::Value to_js(Napi::Env env, const EventCounts& counts) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, std::uint64_t count) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(count)));
  };
  set("received", counts.received);
  set("succeeded", counts.succeeded);
  set("dropped", counts.dropped);
  set("retries", counts.retries);
  set("destinationDeliveryFailures", counts.destination_delivery_failures);
  set("deadLetterErrors", counts.dead_letter_errors);
  set("waiting", counts.waiting);
  return object;
}

Napi::Value to_js(Napi::Env env, const DeadLetter& letter) {
  Napi::Object object = Napi::Object::New(env);
  const auto time = [&](std::int64_t milliseconds) {
    return Napi::Date::New(env, static_cast<double>(milliseconds));
  };
  object.Set("id", letter.id);
  object.Set("kind", kDeadLetterKinds[static_cast<std::size_t>(letter.kind)]);
  object.Set("functionName", letter.function_name);
  object.Set("functionArn", letter.function_arn);
  object.Set("requestId", letter.request_id);
  object.Set("condition", letter.condition);
  object.Set("approximateInvokeCount", letter.approximate_invoke_count);
  object.Set("hasResponse", Napi::Boolean::New(env, letter.has_response));
  object.Set("statusCode", letter.status_code);
  object.Set("functionError", letter.function_error);
  object.Set("executedVersion", letter.executed_version);
  object.Set("errorCode", letter.error_code);
  object.Set("errorMessage", letter.error_message);
  object.Set("accepted", time(letter.accepted_ms));
  object.Set("ended", time(letter.ended_ms));
  object.Set("stored", time(letter.stored_ms));
  object.Set("requestSize", Napi::Number::New(env, static_cast<double>(letter.request_size)));
  // Parsed in JavaScript.
  const auto bytes = [&](const std::string& payload) {
    return Napi::Buffer<char>::Copy(env, payload.data(), payload.size());
  };
  object.Set("requestPayload", bytes(letter.request_payload));
  object.Set("responsePayload", bytes(letter.response_payload));
  object.Set("responseIsBinary", Napi::Boolean::New(env, letter.response_is_binary));
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<DeadLetter>& letters) { return list_to_js(env, letters); }

Napi::Value to_js(Napi::Env env, const Redrive& redrive) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("redriven", Napi::Number::New(env, static_cast<double>(redrive.redriven)));
  object.Set("failed", Napi::Number::New(env, static_cast<double>(redrive.failed)));
  Napi::Array failures = Napi::Array::New(env, redrive.failures.size());
  for (std::uint32_t at = 0; at < redrive.failures.size(); ++at) {
    Napi::Object failure = Napi::Object::New(env);
    failure.Set("id", redrive.failures[at].id);
    failure.Set("problem", redrive.failures[at].problem);
    failures.Set(at, failure);
  }
  object.Set("failures", failures);
  return object;
}

Napi::Value to_js(Napi::Env env, std::size_t number) {
  return Napi::Number::New(env, static_cast<double>(number));
}

EventInvokeRequest event_invoke_request(const Napi::Value& value) {
  const Members members(value);
  EventInvokeRequest request;
  request.function = members.required_text("function");
  request.qualifier = members.text("qualifier").value_or("");
  request.maximum_retry_attempts = members.integer("maximumRetryAttempts");
  request.maximum_event_age_s = members.integer("maximumEventAge");
  request.on_success = members.text("onSuccess");
  request.on_failure = members.text("onFailure");
  return request;
}

DeadLetterQuery dead_letter_query(const Napi::Value& value) {
  DeadLetterQuery query;
  if (value.IsUndefined()) return query;
  const Members members(value);
  query.function = members.text("function").value_or("");
  query.after = members.text("after").value_or("");
  const int limit = members.integer("limit").value_or(static_cast<int>(query.limit));
  if (limit < 0) throw Napi::TypeError::New(value.Env(), "limit must be a number of dead letters");
  query.limit = static_cast<std::size_t>(limit);
  return query;
}

DeadLetterSelection dead_letter_selection(const Napi::Value& value) {
  DeadLetterSelection selection;
  if (value.IsUndefined()) return selection;
  const Members members(value);
  selection.ids = members.texts("ids").value_or(std::vector<std::string>{});
  selection.function = members.text("function").value_or("");
  return selection;
}

}  // namespace lambed::node_binding
