// One owner for a signal that several parties of a process must hear of.
//
// SIGCHLD is the case: Ruby waits for its children by it, libuv (and so Node.js) too, the application may as well, and each
// installs its handler over the others': after Node.js's first child process, Ruby's next backtick would hang for ever. The
// broker is installed instead and calls all of them, in the order in which they came.
//
// Threads: adopt() by one thread at a time (the registry's lock). The handler itself runs on any thread at any time and
// touches only atomics.
#pragma once

#include <signal.h>

namespace lambed::environments {

// `before`: what was installed before a host started; what is installed now is the host's. Both are called from now on.
// Idempotent; no-op while the broker is what is installed and `before` is known.
void adopt_signal(int signal, const struct sigaction& before);

}  // namespace lambed::environments
