// The host of the runtime "callable": Python callables of the application itself, registered with the core as a host that is
// part of the application. Each function has one thread of its own in the application's interpreter, and its invocations run
// one after another there; nothing is isolated, no memory is counted, output goes where the application's goes.
#pragma once

namespace lambed::bindings {

// Before the first gateway. Starts nothing.
void register_callable_host();

}  // namespace lambed::bindings
