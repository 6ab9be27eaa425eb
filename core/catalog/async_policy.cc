#include "catalog/async_policy.h"

namespace lambed::catalog {

// Nothing can be configured yet, so every function has what AWS gives to one without a configuration.
model::AsyncPolicy async_policy_of(const FunctionSnapshot&, std::string_view, const FunctionVersion&) {
  return {};
}

}  // namespace lambed::catalog
