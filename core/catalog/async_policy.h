// The policy of asynchronous invocations that a qualifier of a function has. A function; any thread.
#pragma once

#include <string_view>

#include "catalog/function_version.h"
#include "model/async_policy.h"

namespace lambed::catalog {

// `qualifier` as the caller gave it: "" ($LATEST), "$LATEST", a version number or an alias. `version` is what an attempt ran or
// would run; its dead-letter queue counts. The event-invoke configuration is that of the qualifier itself.
model::AsyncPolicy async_policy_of(const FunctionSnapshot& function, std::string_view qualifier,
                                   const FunctionVersion& version);

}  // namespace lambed::catalog
