// The network namespace of an environment: its own loopback and nothing else. For the process that runs the body, while it
// still has the right.
#pragma once

#include "environments/sandbox/file_view.h"

namespace lambed::sandbox {

// The calling process is in a new network namespace, with loopback up, when it returns.
Trouble enter_own_network();

}  // namespace lambed::sandbox
