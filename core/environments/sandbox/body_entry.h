// The way of an environment's process from init's fork to the caller's body: it gives up its rights, goes through all the gates,
// and tells init how it went before the body may run.
//
// Runs trusted code only, in the process that init forks, on its one thread. Protocol with init, on a SOCK_SEQPACKET: the process
// sends Entered when it is shut in, with the descriptors that init is to work with; one that was made ahead of its function gets
// Given then and sends Entered again; the body runs when one more byte came.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <functional>

#include "environments/sandbox/file_view.h"
#include "environments/sandbox/init.h"
#include "environments/sandbox/network.h"

namespace lambed::sandbox {

struct Entered {
  Trouble trouble;
};

// `inner`: the process's end of the socket to init. `signals`: the mask that the body has.
[[noreturn]] void run_body(const EntryPlan& plan, uid_t uid, int inner, const sigset_t& signals,
                           const TunnelPlan& tunnel, const std::function<int(const Inside&)>& body);

// For init itself too, which gets no limits of resources.
Trouble give_up_rights(const EntryPlan& plan, uid_t uid, bool of_body);

}  // namespace lambed::sandbox
