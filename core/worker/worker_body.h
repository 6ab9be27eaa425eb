// What a forked worker does: becomes the environment of one function and serves it until it is killed.
//
// Threads: the worker's first thread.
#pragma once

#include "base/descriptor.h"
#include "environments/channel/messages.h"
#include "environments/sandbox/sandbox.h"
#include "worker/plugin.h"

namespace lambed::worker {

struct WorkerStreams {
  Descriptor memory, output, error;
};

// In the new process, inside of its sandbox. Returns its exit status.
int run_worker(const Plugin& plugin, const channel::Spawn& spawn, const sandbox::Inside& inside,
               WorkerStreams streams);

}  // namespace lambed::worker
