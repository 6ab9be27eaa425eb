// Admission of a payload: size and JSON validity, checked before anything runs. Pure functions; the hot path.
#pragma once

#include <string>

#include "base/result.h"
#include "lambed/invoke.h"
#include "lambed/quotas.h"

namespace lambed::model {

// An empty payload passes: it reaches the handler as {}. Errors: RequestEntityTooLargeException,
// InvalidRequestContentException ("Could not parse request body into json: ..."). A payload with kJsonPadding
// bytes of spare capacity is checked without a copy.
Result<void> check_payload(const std::string& payload, InvocationType type, const Quotas& quotas);

// X-Amz-Client-Context after its base64 was taken off: must be a JSON object. InvalidRequestContentException
// otherwise.
Result<void> check_client_context(const std::string& json);

}  // namespace lambed::model
