#include "model/concurrency.h"

#include <fmt/format.h>

#include "model/violations.h"

namespace lambed::model {

namespace {

constexpr long long kNoLimit = 0x7fffffff;

}  // namespace

Result<void> check_reserved(int wanted, const ConcurrencyUse& use, const Quotas& quotas) {
  Violations violations;
  violations.check_range(wanted, "reservedConcurrentExecutions", 0, kNoLimit);
  if (auto error = violations.error()) return *error;
  const long long left = static_cast<long long>(quotas.account_concurrency) - use.reserved_by_others -
                         use.provisioned_unreserved_by_others;
  if (left - wanted < quotas.unreserved_concurrency_min && wanted > 0) {
    return invalid_parameter(
        fmt::format("Specified ReservedConcurrentExecutions for function decreases account's "
                    "UnreservedConcurrentExecution "
                    "below its minimum value of [{}].",
                    quotas.unreserved_concurrency_min));
  }
  if (wanted < use.provisioned) {
    // Two blanks: as AWS words it.
    return invalid_parameter(
        fmt::format("ReservedConcurrentExecutions  {} should not be lower than function's total provisioned "
                    "concurrency [{}].",
                    wanted, use.provisioned));
  }
  return {};
}

Result<void> check_provisioned(int wanted, const ConcurrencyUse& use, const Quotas& quotas) {
  Violations violations;
  violations.check_range(wanted, "provisionedConcurrentExecutions", 1, kNoLimit);
  if (auto error = violations.error()) return *error;
  const long long total = static_cast<long long>(use.provisioned) + wanted;
  if (use.reserved) {
    if (total > *use.reserved) {
      return invalid_parameter(
          "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
          "function");
    }
    return {};
  }
  const long long unreserved = static_cast<long long>(quotas.account_concurrency) - use.reserved_by_others -
                               use.provisioned_unreserved_by_others;
  if (total > unreserved) {
    return invalid_parameter(fmt::format(
        "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{}].",
        unreserved));
  }
  if (unreserved - total < quotas.unreserved_concurrency_min) {
    return invalid_parameter(
        fmt::format("Specified ConcurrentExecutions for function decreases account's "
                    "UnreservedConcurrentExecution below its "
                    "minimum value of [{}].",
                    quotas.unreserved_concurrency_min));
  }
  return {};
}

}  // namespace lambed::model
