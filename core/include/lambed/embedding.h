// For language bindings: says in whose process lambed lives, which decides how the language hosts start.
#pragma once

#include <map>
#include <string>

namespace [[gnu::visibility("default")]] lambed {

enum class Context {
  kProgram,  // a C++ program: every interpreter is lambed's own
  kPython,   // inside a running CPython: Python functions run in sub-interpreters of it
  kNode      // inside a running node: Node.js functions run in fresh environments of it
};

// To be called by a binding before the first gateway is made; later calls change nothing for hosts that run already. Any
// thread. Programs need not call it.
void declare_context(Context context);

// Starts the host of a language ("nodejs") on the calling thread if it does not run yet, with the options that gateways will
// give for it (GatewayOptions::host_options). Inside node this must be done for "nodejs" on a JavaScript thread, since the
// host attaches to the running node; everywhere else hosts start by themselves with their first function. A host that cannot
// start is not an error here: functions of its language answer HostUnavailable.
void start_host(const std::string& language, const std::map<std::string, std::string>& options = {});

}  // namespace gnu::visibility("default")]]lambed
