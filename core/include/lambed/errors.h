// The errors of lambed: one table for every API.
//
// An invocation error (a wrong name, a throttled call, a payload that is too large) is an error of the call and comes as
// lambed::Error. A function error (the handler failed) is no Error: it is an InvokeResult with `function_error` set.
// Everything here is a value; any thread may use it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace [[gnu::visibility("default")]] lambed {

// name, HTTP status, member that carries the message in the JSON body, "Type" member ("" = absent).
// Source: botocore's model of Lambda 2015-03-31 and answers recorded from AWS (docs/fidelity.md). Names are AWS's own; the
// last group is lambed's and says so in its text.
#define LAMBED_ERRORS(X)                                                   \
  X(ValidationException, 400, "message", "")                               \
  X(InvalidParameterValueException, 400, "message", "User")                \
  X(InvalidRequestContentException, 400, "message", "User")                \
  X(CodeStorageExceededException, 400, "message", "User")                  \
  X(PolicyLengthExceededException, 400, "message", "User")                 \
  X(AccessDeniedException, 403, "Message", "")                             \
  X(ResourceNotFoundException, 404, "Message", "User")                     \
  X(ResourceConflictException, 409, "message", "User")                     \
  X(ResourceInUseException, 400, "Message", "User")                        \
  X(ResourceNotReadyException, 502, "Message", "User")                     \
  X(PreconditionFailedException, 412, "message", "User")                   \
  X(ProvisionedConcurrencyConfigNotFoundException, 404, "message", "User") \
  X(RequestTooLargeException, 413, "message", "User")                      \
  X(RequestEntityTooLargeException, 413, "message", "")                    \
  X(UnsupportedMediaTypeException, 415, "message", "User")                 \
  X(TooManyRequestsException, 429, "message", "User")                      \
  X(ServiceException, 500, "Message", "Service")                           \
  X(OperationNotSupportedException, 501, "message", "User")                \
  X(InvalidRuntimeException, 502, "Message", "User")                       \
  X(InvalidZipFileException, 502, "Message", "User")                       \
  X(SubnetIPAddressLimitReachedException, 502, "Message", "User")          \
  X(HostUnavailable, 502, "message", "User")                               \
  X(GatewayClosed, 503, "message", "User")

enum class ErrorCode {
#define LAMBED_ERROR_ENUM(name, status, member, type) name,
  LAMBED_ERRORS(LAMBED_ERROR_ENUM)
#undef LAMBED_ERROR_ENUM
};

struct ErrorTraits {
  ErrorCode code;
  std::string_view name;            // "ResourceNotFoundException"
  int http_status;                  // 404
  std::string_view message_member;  // "Message" or "message"
  std::string_view type;            // "User", "Service" or empty
};

// The row of the table. Never fails.
const ErrorTraits& traits_of(ErrorCode code);

// An error of a call. `what()` is the message alone, as AWS words it. `reason()` is the machine-readable Reason of a
// throttle ("ReservedFunctionConcurrentInvocationLimitExceeded") and empty otherwise.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::string reason = {})
      : std::runtime_error(message), code_(code), reason_(std::move(reason)) {}

  ErrorCode code() const { return code_; }
  std::string_view name() const { return traits_of(code_).name; }
  int http_status() const { return traits_of(code_).http_status; }
  std::string message() const { return what(); }
  const std::string& reason() const { return reason_; }

 private:
  ErrorCode code_;
  std::string reason_;
};

}  // namespace lambed
