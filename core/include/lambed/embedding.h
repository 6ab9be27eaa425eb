// For language bindings: says in whose process lambed lives, which decides how the language hosts start.
#pragma once

namespace lambed {

enum class Context {
  kProgram,  // a C++ program: every interpreter is lambed's own
  kPython,   // inside a running CPython: Python functions run in sub-interpreters of it
  kNode      // inside a running node: Node.js functions run in fresh environments of it
};

// To be called by a binding before the first gateway is made; later calls change nothing for hosts that run already. Any
// thread. Programs need not call it.
void declare_context(Context context);

}  // namespace lambed
