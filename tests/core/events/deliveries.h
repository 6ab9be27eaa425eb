// A delivery to test with.
#pragma once

#include <future>
#include <string>

#include "events/delivery.h"

namespace lambed::testing {

// An event that failed three times, on its way to a failure destination.
inline events::Delivery failed_delivery(const std::string& target) {
  events::Delivery delivery;
  delivery.id = "1f1b2c3d-0000-4000-8000-000000000001/failure";
  delivery.target = target;
  delivery.account = "123456789012";
  delivery.region = "us-east-1";
  delivery.request_id = "1f1b2c3d-0000-4000-8000-000000000001";
  delivery.function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";
  delivery.approximate_invoke_count = 3;
  delivery.request_payload = R"({"n":1,"text":"h\u00e9 <&>"})";
  delivery.has_response = true;
  delivery.function_error = "Unhandled";
  delivery.executed_version = "$LATEST";
  delivery.response_payload = R"({"errorMessage":"boom","errorType":"ValueError"})";
  delivery.error_message = "boom";
  delivery.accepted = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'790'000'000'000));
  delivery.ended = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'790'000'180'042));
  return delivery;
}

inline events::Delivery dead_letter(const std::string& target) {
  events::Delivery delivery = failed_delivery(target);
  delivery.kind = events::DeliveryKind::kDeadLetter;
  return delivery;
}

// Waits for the one answer of something that is told `done`.
template <class Start>
events::DeliveryResult answer_of(Start start) {
  std::promise<events::DeliveryResult> promise;
  start([&promise](events::DeliveryResult result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

}  // namespace lambed::testing
