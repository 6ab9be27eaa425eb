#include "catalog/async_policy.h"

namespace lambed::catalog {

model::AsyncPolicy async_policy_of(const FunctionSnapshot& function, std::string_view qualifier,
                                   const FunctionVersion& version) {
  model::AsyncPolicy policy;
  policy.dead_letter = version.configuration.dead_letter_target_arn;
  const auto found = function.event_invoke.find(qualifier.empty() ? "$LATEST" : qualifier);
  if (found == function.event_invoke.end()) return policy;
  const EventInvokeSettings& settings = found->second;
  policy.max_retries = settings.maximum_retry_attempts.value_or(policy.max_retries);
  policy.max_age_s = settings.maximum_event_age_s.value_or(policy.max_age_s);
  policy.on_success = settings.on_success;
  policy.on_failure = settings.on_failure;
  return policy;
}

}  // namespace lambed::catalog
