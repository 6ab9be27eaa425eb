// What is told about an asynchronous invocation that is over, and who tells it: the border between the queue of events, which keeps
// deliveries until they have been made, and the clients of the targets, which make them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace lambed::events {

enum class DeliveryKind : std::uint8_t {
  kDeadLetter,  // the function's DeadLetterConfig
  kOnSuccess,   // the event-invoke configuration's destinations
  kOnFailure
};

// Why an invocation is over; its name in records is name_of().
enum class Condition : std::uint8_t {
  kSuccess,                 // "Success"
  kRetriesExhausted,        // "RetriesExhausted"
  kEventAgeExceeded,        // "EventAgeExceeded"
  kZeroReservedConcurrency  // "ZeroReservedConcurrency": never run, so there is no response
};
const char* name_of(Condition condition);

// One message to one target. An invocation that fails has up to two: its dead letter and its failure destination.
struct Delivery {
  // The same through all attempts and restarts, and of no other delivery: a target that can tells duplicates apart by it.
  std::string id;
  DeliveryKind kind = DeliveryKind::kOnFailure;
  std::string target;  // ARN, as configured

  std::string account;
  std::string region;
  std::string request_id;
  std::string function_arn;  // with its qualifier: ":$LATEST" when the call named none
  Condition condition = Condition::kRetriesExhausted;
  int approximate_invoke_count = 0;  // attempts that reached the function

  std::string request_payload;  // JSON, as the caller sent it ({} for nothing)
  std::string trace_id;         // X-Ray header of the call; "" for none

  // Of the last attempt. False: no attempt reached the function, and the rest is empty.
  bool has_response = false;
  int status_code = 200;
  std::string function_error;    // "" or "Unhandled"
  std::string executed_version;  // "$LATEST" or a number
  std::string response_payload;
  bool response_is_binary = false;  // raw bytes, not JSON

  // For a dead letter's attributes. ErrorCode is the status of the last attempt ("200" for a function error, 429 when it was
  // throttled until the end), ErrorMessage the errorMessage of its document, at most 1 KB.
  int error_code = 200;
  std::string error_message;

  std::chrono::system_clock::time_point accepted;  // when the event was put into the queue
  std::chrono::system_clock::time_point ended;     // when the invocation was over: the record's timestamp

  int attempt = 1;  // of this delivery
};

struct DeliveryResult {
  enum class Kind : std::uint8_t {
    kDelivered,
    kRetryLater,  // the target is down, throttles, or its network is: tried again with back-off, also after a restart
    kRefused  // the target never takes it (it does not exist, it is too large, access is denied): given up, counted, reported
  };
  Kind kind = Kind::kDelivered;
  std::string words = {};  // what was wrong, for the operator's log; no payload in it
};

// Sends deliveries.
// Threads: deliver() is called on the core loop's thread of the gateway that ran the invocation, and must not block it; `done` is
// called exactly once, on any thread, also before deliver() returns. Several deliveries may be under way at once, to one target
// never more than a few. The queue retries, counts and reports; a Deliverer makes one attempt, which ends by itself in less than a
// minute. Life: destroyed after the queue's close(); a `done` that comes later does no harm.
class Deliverer {
 public:
  virtual ~Deliverer() = default;
  virtual void deliver(Delivery delivery, std::function<void(DeliveryResult)> done) = 0;
};

}  // namespace lambed::events
