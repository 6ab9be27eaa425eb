// Where the program `lambed-worker` lies, and what its launchers are started with. Functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lambed::process {

// LAMBED_WORKER names it; else it lies with the plugins (lib/lambed beside the library or the program). Errors: HostUnavailable
// with the places that were looked at.
Result<std::string> find_worker_program();

// The environment variables of a launcher: what a linker and an interpreter need to find their files, and nothing that could
// hold a secret of the server's. "NAME=value".
std::vector<std::string> launcher_variables();

}  // namespace lambed::process
