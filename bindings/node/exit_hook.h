// Ending the process while threads of functions still run in V8.
#ifndef LAMBED_BINDINGS_NODE_EXIT_HOOK_H
#define LAMBED_BINDINGS_NODE_EXIT_HOOK_H

namespace lambed::node_binding {

// The last thing that node does before it ends V8 will be to end the process with this status instead; what it has to say by
// then, like the report of an uncaught exception, it has said. On the main JavaScript thread, from a listener of `exit`.
void end_before_v8(int status);

}  // namespace lambed::node_binding
#endif
