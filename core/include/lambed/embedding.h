// For language bindings and for programs that bring a host of their own: in whose process lambed lives, where plugins are
// looked for, hosts that are part of the application.
// Threads: any. Everything here is to be called before the first gateway is made; what runs already is not changed.
#pragma once

#include <map>
#include <string>

#include "lambed/host.h"

namespace [[gnu::visibility("default")]] lambed {

enum class Context {
  kProgram,  // a C++ program: every interpreter is lambed's own
  kPython,   // inside a running CPython: Python functions run in sub-interpreters of it
  kNode      // inside a running node: Node.js functions run in fresh environments of it
};

// Programs need not call it.
void declare_context(Context context);

// Starts the host of a language ("nodejs") on the calling thread if it does not run yet, with the options that gateways will
// give for it (GatewayOptions::host_options). Inside node this must be done for "nodejs" on a JavaScript thread, since the
// host attaches to the running node; everywhere else hosts start by themselves with their first function. A host that cannot
// start is not an error here: functions of its language answer HostUnavailable.
void start_host(const std::string& language, const std::map<std::string, std::string>& options = {});

// A folder in which plugins (liblambed_host_*.so) are looked for after LAMBED_HOST_PATH and before the places next to the
// library and the program. For programs that link lambed statically, and therefore lie elsewhere than the plugins.
void search_hosts_in(std::string folder);

// Makes a host that is linked into the application serve the runtimes `language`, `language`1.0 and so on: the same table
// that a plugin's lambed_host_entry returns. A language is served by the first table registered for it, before any plugin.
// `api` must live, and be callable, until the process ends.
void register_host(std::string language, const lambed_host_api& api);

}  // namespace lambed
