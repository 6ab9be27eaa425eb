// From what a host says to what Lambda answers: documents, status and flags. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "lambed/host.h"
#include "lambed/invoke.h"
#include "lambed/quotas.h"

namespace lambed::invocation {

// {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Task timed out after 1.00 seconds"}
// `phase` ends the message where it was not the handler that took too long, as in " in its init phase".
std::string timeout_document(std::string_view request_id, std::chrono::nanoseconds limit,
                             std::string_view phase);

// {"errorType":T,"errorMessage":"RequestId: ID Error: MESSAGE"}
std::string sandbox_document(std::string_view error_type, std::string_view request_id,
                             std::string_view message);

// Whether the environment may serve again after this outcome.
bool ends_environment(const lambed_outcome& outcome);

struct Answer {
  std::string payload;
  bool failed = false;  // function_error "Unhandled"
  bool binary = false;
  std::string error_type;  // of a failure: "Runtime.ExitError"
};

// Copies the payload (its one copy on the way out).
Answer answer_of(const lambed_outcome& outcome, std::string_view request_id, const Quotas& quotas);

}  // namespace lambed::invocation
