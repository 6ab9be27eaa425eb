// How an event and a delivery are written into a queue's item. Values; functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "events/delivery.h"
#include "lambed/invoke.h"

namespace lambed::events {

// What an attempt needs of the call; the request id and the time are the item's, the function is its lane's.
struct EventRecord {
  std::string qualifier;  // "" when the call named none
  std::string payload;
  std::string client_context;
  std::string cognito_identity;
  std::string trace_id;
  std::string tenant_id;
};

std::string encode(const EventRecord& record);
std::string encode(const Delivery& delivery);
// Nothing for what encode() has not written.
std::optional<EventRecord> decode_event(std::string_view bytes);
std::optional<Delivery> decode_delivery(std::string_view bytes);
// The qualifier alone, without a copy of the payload.
std::optional<std::string> decode_qualifier(std::string_view bytes);

}  // namespace lambed::events
