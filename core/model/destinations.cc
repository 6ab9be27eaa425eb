#include "model/destinations.h"

#include <fmt/format.h>

#include <array>

#include "model/characters.h"

namespace lambed::model {

namespace {

// Source: botocore's lambda/2015-03-31/service-2.json (1.44). Kafka topics are for event source mappings only.
constexpr std::string_view kDestinationPattern =
    R"($|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:)"
    R"(((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*))";
constexpr std::string_view kDeadLetterPattern = R"((arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|())";
constexpr std::size_t kMostDestination = 350;
constexpr std::size_t kMostDeadLetterTarget = 10'000;

// partition, service, region, account, resource; the last with all colons that follow.
std::optional<std::array<std::string_view, 5>> fields_of(std::string_view arn) {
  if (!arn.starts_with("arn:")) return std::nullopt;
  arn.remove_prefix(4);
  std::array<std::string_view, 5> fields;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    fields[i] = arn.substr(0, colon);
    arn.remove_prefix(colon + 1);
  }
  fields[4] = arn;
  return fields;
}

bool is_arn_partition(std::string_view text) {
  return text.starts_with("aws") &&
         all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

// (eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d
bool is_arn_region(std::string_view text) {
  if (text.starts_with("eusc-")) text.remove_prefix(5);
  if (text.size() < 6 || !is_lower(text[0]) || !is_lower(text[1])) return false;
  text.remove_prefix(2);
  if (!is_digit(text.back()) || text[text.size() - 2] != '-') return false;
  text.remove_suffix(2);
  if (text.starts_with("-gov-")) {
    text.remove_prefix(4);
  } else if (text.starts_with("-iso")) {
    const auto end = text.find('-', 1);
    // "-isolated" would be the place itself, not the partition's mark.
    if (end != std::string_view::npos && end <= 5) text.remove_prefix(end);
  }
  return text.size() >= 2 && text[0] == '-' && all_of(text.substr(1), is_lower);
}

bool fits_destination_pattern(std::string_view text) {
  if (text.empty() || text == kLocalTarget) return true;
  if (text.starts_with("kafka://")) {
    text.remove_prefix(8);
    return !text.empty() && text[0] != '.' && text.size() <= 249 && all_of(text.substr(1), [](char c) {
      return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
    });
  }
  const auto fields = fields_of(text);
  if (!fields || (*fields)[4].find('\n') != std::string_view::npos) return false;
  const auto& [partition, service, region, account, resource] = *fields;
  return is_arn_partition(partition) && !service.empty() &&
         all_of(service, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; }) &&
         (region.empty() || is_arn_region(region)) && (account.empty() || is_account(account));
}

bool fits_dead_letter_pattern(std::string_view text) {
  if (text.empty() || text == kLocalTarget) return true;
  if (!text.starts_with("arn:") || text.find('\n') != std::string_view::npos) return false;
  text.remove_prefix(4);
  const auto partition = text.substr(0, text.find(':'));
  const bool known =
      partition.empty() ||
      (partition.starts_with("aws") && all_of(partition, [](char c) { return is_letter(c) || c == '-'; }));
  if (!known || partition.size() == text.size()) return false;
  text.remove_prefix(partition.size() + 1);
  const auto service = text.substr(0, text.find(':'));
  return !service.empty() && service.size() < text.size() &&
         all_of(service, [](char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '.'; });
}

// Standard queues and topics only: a message to a FIFO one needs a group, which Lambda does not send.
bool is_fifo(const Target& target) { return target.resource.ends_with(".fifo"); }

std::string shown(const char* name, const std::optional<std::string>& destination) {
  if (!destination || destination->empty()) return "null";
  return fmt::format("{}(destination={})", name, *destination);
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  if (text == kLocalTarget) return Target{TargetKind::kLocal, std::string(text), {}, {}, {}, {}};
  const auto fields = fields_of(text);
  if (!fields || !fits_destination_pattern(text)) return std::nullopt;
  const auto& [partition, service, region, account, resource] = *fields;
  Target target{TargetKind::kSqs,    std::string(text),    std::string(partition),
                std::string(region), std::string(account), std::string(resource)};
  if (resource.empty()) return std::nullopt;
  const bool is_placed = !region.empty() && !account.empty();
  if (service == "sqs" && is_placed && resource.find(':') == std::string_view::npos) return target;
  if (service == "sns" && is_placed && resource.find(':') == std::string_view::npos) {
    target.kind = TargetKind::kSns;
    return target;
  }
  if (service == "lambda" && is_placed && resource.starts_with("function:")) {
    target.kind = TargetKind::kFunction;
    target.resource = resource.substr(9);
    return target;
  }
  if (service == "events" && is_placed && resource.starts_with("event-bus/") && resource.size() > 10) {
    target.kind = TargetKind::kEventBus;
    target.resource = resource.substr(10);
    return target;
  }
  if (service == "s3" && resource.find_first_of(":/") == std::string_view::npos) {
    target.kind = TargetKind::kBucket;
    return target;
  }
  return std::nullopt;
}

void check_dead_letter_pattern(std::string_view arn, Violations& violations) {
  if (!fits_dead_letter_pattern(arn))
    violations.add(arn, "deadLetterConfig.targetArn", must_match(kDeadLetterPattern));
  violations.check_length(arn, "deadLetterConfig.targetArn", 0, kMostDeadLetterTarget);
}

Result<void> check_dead_letter_target(std::string_view arn) {
  if (arn.empty()) return {};
  const auto target = parse_target(arn);
  const bool fits = target && (target->kind == TargetKind::kLocal || target->kind == TargetKind::kSqs ||
                               target->kind == TargetKind::kSns);
  if (fits && !is_fifo(*target)) return {};
  // The rule is AWS's; these words are lambed's own.
  return invalid_parameter(
      fmt::format("The dead-letter target {} is invalid: it must be the ARN of a standard SQS queue or a "
                  "standard SNS topic, or {}.",
                  arn, kLocalTarget));
}

Result<void> check_event_invoke_members(const EventInvokeRequest& request) {
  Violations violations;
  if (request.maximum_retry_attempts)
    violations.check_range(*request.maximum_retry_attempts, "maximumRetryAttempts", 0, 2);
  if (request.maximum_event_age_s)
    violations.check_range(*request.maximum_event_age_s, "maximumEventAgeInSeconds", 60, 21'600);
  const auto check = [&](const std::optional<std::string>& destination, std::string_view member) {
    if (!destination) return;
    if (!fits_destination_pattern(*destination))
      violations.add(*destination, member, must_match(kDestinationPattern));
    violations.check_length(*destination, member, 0, kMostDestination);
  };
  check(request.on_success, "destinationConfig.onSuccess.destination");
  check(request.on_failure, "destinationConfig.onFailure.destination");
  if (auto error = violations.error()) return *error;
  if (!request.maximum_retry_attempts && !request.maximum_event_age_s && !request.on_success &&
      !request.on_failure) {
    return invalid_parameter("You must specify at least one of error handling or destination setting.");
  }
  return {};
}

Result<void> check_destinations(
    const EventInvokeRequest& request, const Scope& scope, std::string_view name,
    const std::function<bool(std::string_view name, std::string_view qualifier)>& exists) {
  bool fits = true;
  for (const auto* destination : {&request.on_failure, &request.on_success}) {
    if (!*destination || (*destination)->empty()) continue;
    const auto target = parse_target(**destination);
    if (!target || is_fifo(*target) ||
        (target->kind == TargetKind::kBucket && destination == &request.on_success)) {
      fits = false;
      continue;
    }
    if (target->kind != TargetKind::kFunction) continue;
    const std::string_view resource = target->resource;
    const auto colon = resource.find(':');
    const auto its_name = resource.substr(0, colon);
    const auto qualifier = colon == std::string_view::npos ? std::string_view() : resource.substr(colon + 1);
    if (target->region != scope.region || target->account != scope.account || !exists(its_name, qualifier)) {
      return invalid_parameter(fmt::format("The destination ARN {} is invalid.", **destination));
    }
    if (its_name == name)
      return invalid_parameter("You can't specify the function as a destination for itself.");
  }
  if (fits) return {};
  return invalid_parameter(
      fmt::format("The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
                  shown("OnSuccess", request.on_success), shown("OnFailure", request.on_failure)));
}

}  // namespace lambed::model
