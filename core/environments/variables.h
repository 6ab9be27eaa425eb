// What a new environment is told: the function's code, limits and its whole set of environment variables.
#pragma once

#include <chrono>

#include "base/ids.h"
#include "base/result.h"
#include "catalog/function_version.h"
#include "environments/environment.h"
#include "lambed/gateway.h"

namespace lambed::environments {

// Touches the disk: the code package may have to be unpacked first. The variables are Lambda's own (its "reserved" ones win
// over the function's) and the function's; nothing of the host process's environment is among them.
Result<EnvironmentSpec> describe_environment(const catalog::FunctionVersion& version,
                                             const GatewayOptions& options, Random& random,
                                             std::chrono::system_clock::time_point now);

}  // namespace lambed::environments
