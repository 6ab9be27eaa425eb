// Asynchronous invocations (InvocationType::kEvent): what became of them.
//
// An event that was accepted (status 202) is run at least once, in the order of acceptance within its function as long as nothing
// fails. A function error is tried again twice, after a minute and two more; throttled and system errors until the event is too old.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace [[gnu::visibility("default")]] lambed {

enum class EventState {
  kPending,    // not run yet
  kRunning,    // an attempt runs now
  kRetrying,   // has failed and waits for its next attempt
  kSucceeded,  // over
  kFailed,     // over: attempts exhausted, function gone or blocked
  kExpired     // over: older than MaximumEventAgeInSeconds
};
// "Pending", "Running", "Retrying", "Succeeded", "Failed", "Expired".
std::string_view name_of(EventState state);

// An asynchronous invocation that is over.
struct EventOutcome {
  std::string request_id;
  std::string function_arn;  // with its qualifier; ":$LATEST" when the call named none
  EventState state = EventState::kSucceeded;
  // Why, in the words of AWS's destination records: Success, RetriesExhausted, EventAgeExceeded, ZeroReservedConcurrency; or
  // ResourceNotFound: the function, version or alias was deleted meanwhile.
  std::string condition;
  int attempts = 0;            // that reached the function
  std::string function_error;  // of the last attempt: "" or "Unhandled"
  std::string
      payload;  // of the last attempt: the answer or the error document; empty when none reached the function
  std::string executed_version;  // of the last attempt
  std::chrono::system_clock::time_point accepted;
  std::chrono::system_clock::time_point ended;
};

// Called once for each event that is over, on the core loop's thread; must not block or throw. It may invoke again, by the callback
// form.
using EventHook = std::function<void(const EventOutcome&)>;

// What is known of one asynchronous invocation. Those that are over are remembered for an hour, the newest 10,000 of a gateway,
// and not across a restart.
struct EventStatus {
  std::string request_id;
  std::string function_arn;  // with its qualifier where the event has run or is over, else without
  EventState state = EventState::kPending;
  int attempts = 0;  // that reached the function, the running one included
  std::chrono::system_clock::time_point accepted;
  // Of an event that is over:
  std::optional<std::chrono::system_clock::time_point> ended;
  std::string condition;
  std::string function_error;
};

// Counts of a gateway's asynchronous invocations since it was made.
struct EventCounts {
  std::uint64_t received = 0;
  std::uint64_t succeeded = 0;
  std::uint64_t dropped = 0;  // AsyncEventsDropped: over without success
  std::uint64_t retries = 0;
  std::uint64_t destination_delivery_failures = 0;
  std::uint64_t dead_letter_errors = 0;
  std::uint64_t waiting = 0;   // accepted and not over, about; deliveries that wait included
  double age_seconds_sum = 0;  // AsyncEventAge: from acceptance to an attempt's begin, over all attempts
  std::uint64_t age_seconds_count = 0;
};

}  // namespace lambed
