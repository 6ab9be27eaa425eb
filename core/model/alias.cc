#include "model/alias.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/reference.h"
#include "model/violations.h"

namespace lambed::model {

namespace {

bool is_alias_name(std::string_view name) {
  const bool well_formed = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return !name.empty() && well_formed && !is_version_number(name);
}

void check_version(std::string_view version, Violations& violations) {
  violations.check_length(version, "functionVersion", 1, 1024);
  if (!is_latest(version) && !is_version_number(version)) {
    violations.add(version, "functionVersion", must_match(R"((\$LATEST|[0-9]+))"));
  }
}

void check_weights(const std::map<std::string, double>& weights, Violations& violations) {
  constexpr char member[] = "routingConfig.additionalVersionWeights";
  const auto all = [&](auto predicate) { return std::all_of(weights.begin(), weights.end(), predicate); };
  if (!all([](const auto& w) { return is_version_number(w.first) && w.first.size() <= 1024; })) {
    violations.add(printed(weights), member,
                   "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
                   "Member must have "
                   "length greater than or equal to 1, Member must satisfy regular expression pattern: "
                   "[0-9]+, Member must "
                   "not be null]");
  }
  // Not a number fails both comparisons.
  if (!all([](const auto& w) { return w.second >= 0.0 && w.second <= 1.0; })) {
    violations.add(printed(weights), member,
                   "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
                   "Member must have "
                   "value greater than or equal to 0.0, Member must not be null]");
  }
}

}  // namespace

std::string printed(const std::map<std::string, double>& weights) {
  std::vector<std::string> entries;
  for (const auto& [version, weight] : weights) {
    const bool whole = std::isfinite(weight) && weight == std::floor(weight) && std::abs(weight) < 1e7;
    entries.push_back(whole ? fmt::format("{}={:.1f}", version, weight)
                            : fmt::format("{}={}", version, weight));
  }
  return fmt::format("{{{}}}", fmt::join(entries, ", "));
}

Result<void> check_alias_request(const AliasRequest& request, bool creating) {
  Violations violations;
  violations.check_length(request.alias, "name", 1, 128);
  if (!is_alias_name(request.alias)) {
    violations.add(request.alias, "name", must_match("(?!^[0-9]+$)([a-zA-Z0-9-_]+)"));
  }
  if (request.version) {
    check_version(*request.version, violations);
  } else if (creating) {
    violations.add_missing("functionVersion");
  }
  if (request.description) violations.check_length(*request.description, "description", 0, 256);
  if (request.weights) check_weights(*request.weights, violations);
  if (auto error = violations.error()) return *error;
  return {};
}

Result<void> check_routing(std::string_view main_version, const std::map<std::string, double>& weights) {
  if (weights.empty()) return {};
  if (is_latest(main_version))
    return invalid_parameter("Alias with weights can not be used with $LATEST version");
  if (weights.size() > 1) {
    return invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1");
  }
  if (const auto& other = weights.begin()->first; other == main_version) {
    return invalid_parameter(fmt::format(
        "Invalid function version {}. Function version {} is already included in routing configuration.",
        other, main_version));
  }
  return {};
}

}  // namespace lambed::model
