// The `lambed` program as a function, for language bindings that run it inside their interpreter: functions of that language
// then get its version. It is in the program's own code (core/cli), not in the shared library.
#pragma once

namespace [[gnu::visibility("default")]] lambed {

// What `lambed` does with these arguments, the first being its name; blocks until it is done and returns the exit status.
// Writes to descriptors 1 and 2, handles SIGINT, SIGTERM and SIGHUP meanwhile, and ends the process when one of them comes or
// when a handler cannot be stopped. Never throws.
int run_program(int count, const char* const* arguments);

}  // namespace lambed
