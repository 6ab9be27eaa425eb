// Where the outcome of an event goes: destinations and dead-letter targets, and the rules of configuring them. Pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lambed/function.h"
#include "model/reference.h"
#include "model/violations.h"

namespace lambed::model {

// lambed's own target: the gateway's table of dead letters.
inline constexpr std::string_view kLocalTarget = "lambed:local";

enum class TargetKind { kLocal, kSqs, kSns, kFunction, kEventBus, kBucket };

// A target taken apart. S3's ARNs name no region and no account.
struct Target {
  TargetKind kind;
  std::string text;       // as it was configured
  std::string partition;  // "aws", "aws-cn", ...; empty for lambed:local
  std::string region;
  std::string account;
  std::string resource;  // queue, topic, bucket or bus name; for a function what follows "function:"
};

// nullopt: none that something can be sent to.
std::optional<Target> parse_target(std::string_view text);

// The model layer's part of DeadLetterConfig.TargetArn; "" passes.
void check_dead_letter_pattern(std::string_view arn, Violations& violations);
// The business layer's: a standard SQS queue, a standard SNS topic or lambed:local; "" passes.
Result<void> check_dead_letter_target(std::string_view arn);

// Both layers of PutFunctionEventInvokeConfig and UpdateFunctionEventInvokeConfig, on what the caller sent for the function
// `name`. `exists`: whether this gateway holds a function of that name with that qualifier ("" = none was given).
Result<void> check_event_invoke_members(const EventInvokeRequest& request);
Result<void> check_destinations(
    const EventInvokeRequest& request, const Scope& scope, std::string_view name,
    const std::function<bool(std::string_view name, std::string_view qualifier)>& exists);

}  // namespace lambed::model
