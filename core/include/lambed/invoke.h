// One invocation: what goes in, what comes out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "lambed/errors.h"

namespace [[gnu::visibility("default")]] lambed {

enum class InvocationType { kRequestResponse, kEvent, kDryRun };

struct InvokeRequest {
  std::string function;        // name, name:qualifier, partial or full ARN
  std::string payload = {};    // JSON text; empty means {}
  std::string qualifier = {};  // "$LATEST", a version number or an alias
  InvocationType type = InvocationType::kRequestResponse;
  bool log_tail = false;              // ask for InvokeResult::log_tail
  std::string client_context = {};    // JSON; reaches the handler as context.client_context
  std::string cognito_identity = {};  // JSON {"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}
  std::string trace_id = {};          // X-Ray header
  std::string tenant_id = {};
  std::string request_id = {};  // empty: a new one
};

// What the invocation cost and where it ran.
struct InvocationReport {
  std::chrono::nanoseconds duration{};          // of the handler
  std::chrono::milliseconds billed_duration{};  // rounded up to Quotas::billing_step
  std::chrono::nanoseconds init_duration{};     // zero unless this call opened the environment it ran in
  int memory_size_mb = 0;
  int max_memory_used_mb = 0;
};

struct InvokeResult {
  int status_code = 200;         // 200, 202 (Event), 204 (DryRun); the error's own when `error` is set
  std::string payload;           // the handler's answer, or the error document of its runtime
  std::string function_error;    // "" or "Unhandled"
  std::string executed_version;  // "$LATEST" or a number
  std::string request_id;
  std::string log_tail;  // base64 of the last 4 KB of log, when asked for
  bool binary = false;   // payload is raw bytes, not JSON
  InvocationReport report;
  std::optional<Error> error;  // callback form only: the call never reached the handler

  bool ok() const { return !error && function_error.empty(); }
};

}  // namespace lambed
