// What a forked worker does: becomes the environment of one function and serves it until it is killed.
//
// Threads: the worker's first thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "environments/channel/messages.h"
#include "environments/sandbox/sandbox.h"
#include "worker/plugin.h"

namespace lambed::worker {

struct WorkerStreams {
  Descriptor memory, output, error;
};

// What starting the interpreter in a worker has come to.
struct StartedPlugin {
  std::string problem;  // empty: it runs
  std::vector<std::string> notices;
};

// In the new process, inside of its sandbox: what can be done without knowing the function. Before it, variables that an
// interpreter reads when it starts must be there.
StartedPlugin start_plugin(const Plugin& plugin);

// The rest; `started`: nothing was done yet. Returns the exit status.
int run_worker(const Plugin& plugin, std::optional<StartedPlugin> started, const channel::Spawn& spawn,
               const sandbox::Inside& inside, WorkerStreams streams);

}  // namespace lambed::worker
