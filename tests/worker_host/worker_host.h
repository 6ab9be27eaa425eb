// A language's host whose environments are worker processes: isolation `process`, with the face of a host plugin. The suites of
// the hosts run with either one, so that what handlers see is judged by the same cases.
//
// Threads: as for any host (lambed/host.h). Once per process.
#pragma once

#include <lambed/host.h>

#include <string>

namespace lambed::testing {

// Its `start` takes the language as the option "language"; all other options are for the plugin in the workers.
const lambed_host_api& worker_host();

// LAMBED_TEST_ISOLATION=process: the suite is to run with it.
bool is_isolated();

// Where a handler whose code lies in `task_root` finds it: the same folder, or that of the sandbox.
std::string seen_by_handlers(const std::string& task_root);

}  // namespace lambed::testing
