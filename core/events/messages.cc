#include "events/messages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/json.h"

namespace lambed::events {

namespace {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// A payload as it stands, or what of it JSON can carry.
std::string value_of(const std::string& payload, bool is_binary) {
  if (is_binary) return json_text(base64_encode(payload));
  if (payload.empty()) return "null";
  return json_fault(payload) ? json_text(payload) : payload;
}

}  // namespace

std::string timestamp_of(std::chrono::system_clock::time_point time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(milliseconds / 1000)), milliseconds % 1000);
}

std::string_view function_name_of(std::string_view arn) {
  constexpr std::string_view mark = ":function:";
  const auto at = arn.find(mark);
  if (at == std::string_view::npos) return {};
  arn.remove_prefix(at + mark.size());
  return arn.substr(0, arn.find(':'));
}

std::string record_of(const Delivery& delivery) {
  std::string record;
  record.reserve(delivery.request_payload.size() + delivery.response_payload.size() + 512);
  record += R"({"version":"1.0","timestamp":)";
  record += json_text(timestamp_of(delivery.ended));
  record += R"(,"requestContext":{"requestId":)";
  record += json_text(delivery.request_id);
  record += R"(,"functionArn":)";
  record += json_text(delivery.function_arn);
  record += R"(,"condition":)";
  record += json_text(name_of(delivery.condition));
  record +=
      fmt::format(R"(,"approximateInvokeCount":{}}},"requestPayload":)", delivery.approximate_invoke_count);
  record += delivery.request_payload.empty() ? "{}" : value_of(delivery.request_payload, false);
  if (delivery.has_response) {
    record += fmt::format(R"(,"responseContext":{{"statusCode":{},"executedVersion":)", delivery.status_code);
    record += json_text(delivery.executed_version);
    if (!delivery.function_error.empty()) {
      record += R"(,"functionError":)";
      record += json_text(delivery.function_error);
    }
    record += R"(},"responsePayload":)";
    record += value_of(delivery.response_payload, delivery.response_is_binary);
  }
  record += "}";
  return record;
}

std::string body_of(const Delivery& delivery) {
  if (delivery.kind != DeliveryKind::kDeadLetter) return record_of(delivery);
  return delivery.request_payload.empty() ? "{}" : delivery.request_payload;
}

std::vector<Attribute> attributes_of(const Delivery& delivery) {
  if (delivery.kind != DeliveryKind::kDeadLetter) return {};
  std::vector<Attribute> attributes{{"RequestID", "String", delivery.request_id},
                                    {"ErrorCode", "Number", std::to_string(delivery.error_code)}};
  if (!delivery.error_message.empty())
    attributes.push_back({"ErrorMessage", "String", delivery.error_message});
  return attributes;
}

std::string detail_type_of(const Delivery& delivery) {
  return std::string("Lambda Function Invocation Result - ") +
         (delivery.kind == DeliveryKind::kOnSuccess ? "Success" : "Failure");
}

std::string object_key_of(const Delivery& delivery) {
  const auto time = fmt::gmtime(std::chrono::system_clock::to_time_t(delivery.ended));
  return fmt::format("aws/lambda/async/{}/{:%Y/%m/%d}/{:%Y-%m-%dT%H.%M.%S}-{}",
                     function_name_of(delivery.function_arn), time, time, delivery.request_id);
}

}  // namespace lambed::events
