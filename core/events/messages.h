// What targets are sent: the invocation record of a destination, the attributes of a dead letter, the names of S3 objects. Pure
// functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "events/delivery.h"

namespace lambed::events {

// The record that a destination gets, JSON of one line:
//   {"version":"1.0","timestamp":"2026-11-24T10:00:00.000Z",
//    "requestContext":{"requestId":..,"functionArn":..,"condition":"RetriesExhausted","approximateInvokeCount":3},
//    "requestPayload":..,
//    "responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":..}
// Without an attempt there are no response parts, and without a function error no functionError. A response that is not JSON is
// a string, in base64 when it is raw bytes. Source: recorded destination tests against AWS (docs/fidelity.md).
std::string record_of(const Delivery& delivery);

// What is sent to the target: the event itself for a dead letter, the record for a destination.
std::string body_of(const Delivery& delivery);

struct Attribute {
  const char* name;
  const char* type;  // "String" or "Number"
  std::string value;
};
// RequestID, ErrorCode and ErrorMessage of a dead letter; none for a destination. ErrorMessage is left out when there is none:
// SQS and SNS take no empty value.
std::vector<Attribute> attributes_of(const Delivery& delivery);

// "Lambda Function Invocation Result - Success" or "... - Failure"
std::string detail_type_of(const Delivery& delivery);

// aws/lambda/async/<function>/2026/11/24/2026-11-24T10.00.00-<request id>. AWS has a random UUID at the end; this one is the same
// for every attempt to deliver, so that an attempt whose answer was lost leaves one object.
std::string object_key_of(const Delivery& delivery);

// The name in a function's ARN; "" when it is none.
std::string_view function_name_of(std::string_view arn);

std::string timestamp_of(std::chrono::system_clock::time_point time);  // 2026-11-24T10:00:00.000Z

}  // namespace lambed::events
