#include "events/record.h"

#include <cstdint>

namespace lambed::events {
namespace {

// The first byte: what it is and how it is written. Never used again for something else.
constexpr char kEvent = 'E';
constexpr char kDelivery = 'D';

// Seven bits to a byte, the highest says that more follow: most numbers here are below 128.
void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out += text;
}

std::uint64_t millis_of(std::chrono::system_clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  bool begins_with(char kind) {
    if (left_.empty() || left_[0] != kind) return false;
    left_.remove_prefix(1);
    return true;
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      const auto byte = static_cast<unsigned char>(left_[0]);
      left_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (!ok_ || size > left_.size()) {
      ok_ = false;
      return {};
    }
    std::string value(left_.substr(0, size));
    left_.remove_prefix(size);
    return value;
  }
  std::chrono::system_clock::time_point time() {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(number()));
  }
  bool ok() const { return ok_; }
  bool is_at_end() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace

std::string encode(const EventRecord& record) {
  std::string out(1, kEvent);
  out.reserve(record.payload.size() + record.client_context.size() + record.trace_id.size() + 32);
  put_text(out, record.qualifier);
  put_text(out, record.payload);
  put_text(out, record.client_context);
  put_text(out, record.cognito_identity);
  put_text(out, record.trace_id);
  put_text(out, record.tenant_id);
  return out;
}

std::optional<EventRecord> decode_event(std::string_view bytes) {
  Reader reader(bytes);
  if (!reader.begins_with(kEvent)) return std::nullopt;
  EventRecord record;
  record.qualifier = reader.text();
  record.payload = reader.text();
  record.client_context = reader.text();
  record.cognito_identity = reader.text();
  record.trace_id = reader.text();
  record.tenant_id = reader.text();
  if (!reader.is_at_end()) return std::nullopt;
  return record;
}

std::optional<std::string> decode_qualifier(std::string_view bytes) {
  Reader reader(bytes);
  if (!reader.begins_with(kEvent)) return std::nullopt;
  std::string qualifier = reader.text();
  if (!reader.ok()) return std::nullopt;
  return qualifier;
}

std::string encode(const Delivery& delivery) {
  std::string out(1, kDelivery);
  put_text(out, delivery.id);
  put_number(out, static_cast<std::uint64_t>(delivery.kind));
  put_text(out, delivery.target);
  put_text(out, delivery.account);
  put_text(out, delivery.region);
  put_text(out, delivery.request_id);
  put_text(out, delivery.function_arn);
  put_number(out, static_cast<std::uint64_t>(delivery.condition));
  put_number(out, static_cast<std::uint64_t>(delivery.approximate_invoke_count));
  put_text(out, delivery.request_payload);
  put_text(out, delivery.trace_id);
  put_number(out, delivery.has_response ? 1 : 0);
  put_number(out, static_cast<std::uint64_t>(delivery.status_code));
  put_text(out, delivery.function_error);
  put_text(out, delivery.executed_version);
  put_text(out, delivery.response_payload);
  put_number(out, delivery.response_is_binary ? 1 : 0);
  put_number(out, static_cast<std::uint64_t>(delivery.error_code));
  put_text(out, delivery.error_message);
  put_number(out, millis_of(delivery.accepted));
  put_number(out, millis_of(delivery.ended));
  return out;
}

std::optional<Delivery> decode_delivery(std::string_view bytes) {
  Reader reader(bytes);
  if (!reader.begins_with(kDelivery)) return std::nullopt;
  Delivery delivery;
  delivery.id = reader.text();
  delivery.kind = static_cast<DeliveryKind>(reader.number());
  delivery.target = reader.text();
  delivery.account = reader.text();
  delivery.region = reader.text();
  delivery.request_id = reader.text();
  delivery.function_arn = reader.text();
  delivery.condition = static_cast<Condition>(reader.number());
  delivery.approximate_invoke_count = static_cast<int>(reader.number());
  delivery.request_payload = reader.text();
  delivery.trace_id = reader.text();
  delivery.has_response = reader.number() != 0;
  delivery.status_code = static_cast<int>(reader.number());
  delivery.function_error = reader.text();
  delivery.executed_version = reader.text();
  delivery.response_payload = reader.text();
  delivery.response_is_binary = reader.number() != 0;
  delivery.error_code = static_cast<int>(reader.number());
  delivery.error_message = reader.text();
  delivery.accepted = reader.time();
  delivery.ended = reader.time();
  if (!reader.is_at_end() || delivery.kind > DeliveryKind::kOnFailure ||
      delivery.condition > Condition::kZeroReservedConcurrency) {
    return std::nullopt;
  }
  return delivery;
}

}  // namespace lambed::events
