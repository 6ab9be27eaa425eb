// The target `lambed:local`: a table in the gateway that keeps what a queue or a topic would get. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] lambed {

enum class DeadLetterKind {
  kDeadLetter,  // by the function's dead_letter_target_arn
  kOnSuccess,   // by its event-invoke configuration
  kOnFailure
};

// An event that is over, as it was sent to lambed:local.
struct DeadLetter {
  std::string id;  // its name in the table; in the order of these, the oldest come first
  DeadLetterKind kind = DeadLetterKind::kDeadLetter;
  std::string function_name;
  std::string function_arn;  // as it was called, with its qualifier
  std::string request_id;
  std::string condition;  // "Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"
  int approximate_invoke_count = 0;  // attempts that reached the function
  bool has_response = false;         // false: none did, and what follows about a response is empty
  int status_code = 0;
  std::string function_error;    // "" or "Unhandled"
  std::string executed_version;  // "$LATEST" or a number
  int error_code = 0;  // of dead letters: 200 for a function error, 429 when it was throttled until the end
  std::string error_message;
  std::int64_t accepted_ms =
      0;  // since 1970: when the event was accepted, when it was over, when it came into the table
  std::int64_t ended_ms = 0;
  std::int64_t stored_ms = 0;
  std::size_t request_size = 0;  // bytes
  // Filled in by get_dead_letter only.
  std::string request_payload;   // JSON, as the caller sent it
  std::string response_payload;  // of the last attempt
  bool response_is_binary = false;
};

struct DeadLetterQuery {
  std::string function = {};  // "" of all functions
  std::string after = {};     // the id that the page before ended with
  std::size_t limit = 100;
};

// Which ones: those named by `ids`; without any those of `function`; with neither all.
struct DeadLetterSelection {
  std::vector<std::string> ids = {};
  std::string function = {};
};

// How a redrive has gone.
struct Redrive {
  std::size_t redriven = 0;  // their events were accepted again, and they are out of the table
  struct Failure {
    std::string id;
    std::string problem;
  };
  std::vector<Failure> failures;  // these stay; at most 100 are named
  std::size_t failed = 0;
};

}  // namespace lambed
