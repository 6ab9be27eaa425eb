#include "model/payload.h"

#include <fmt/format.h>

#include "base/json.h"

namespace lambed::model {

Result<void> check_payload(const std::string& payload, InvocationType type, const Quotas& quotas) {
  const bool is_event = type == InvocationType::kEvent;
  const std::uint64_t limit = is_event ? quotas.async_payload : quotas.sync_payload;
  if (payload.size() > limit) {
    return Error(ErrorCode::RequestEntityTooLargeException,
                 fmt::format("{} byte payload is too large for the {} invocation type (limit {} bytes)",
                             payload.size(), is_event ? "Event" : "RequestResponse", limit));
  }
  if (payload.empty()) return {};
  if (const auto fault = json_fault(payload)) {
    return Error(ErrorCode::InvalidRequestContentException,
                 "Could not parse request body into json: Could not parse payload into json: " + *fault);
  }
  return {};
}

Result<void> check_client_context(const std::string& json) {
  if (json.empty()) return {};
  const auto first = json.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && json[first] == '{' && !json_fault(json)) return {};
  return Error(ErrorCode::InvalidRequestContentException,
               "Client context must be a valid Base64-encoded JSON object.");
}

}  // namespace lambed::model
