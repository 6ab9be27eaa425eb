// What becomes of an asynchronous invocation that fails: how often and how long it is tried, and who is told. A value.
#pragma once

#include <string>

namespace lambed::model {

// The defaults are AWS's own. Targets are ARNs as configured; empty: none.
struct AsyncPolicy {
  int max_retries = 2;      // after the first attempt; 0-2
  int max_age_s = 21600;    // from acceptance; 60-21600
  std::string on_success;   // DestinationConfig.OnSuccess.Destination
  std::string on_failure;   // DestinationConfig.OnFailure.Destination
  std::string dead_letter;  // DeadLetterConfig.TargetArn
};

}  // namespace lambed::model
