// What `lambed serve` says of isolation, and whether this machine has it.
#pragma once

#include <string>

#include "cli/serve_command.h"

namespace lambed::cli {

// The lines of the welcome that tell where functions run. Tries the sandbox, so before there are threads. Throws CommandError
// where isolation `process` cannot be had, or not as strictly as is asked for: better than to refuse each function later.
std::string isolation_of(const ServeOptions& options);

}  // namespace lambed::cli
