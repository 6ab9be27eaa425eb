// fork() of a Python that has sub-interpreters.
#pragma once

namespace lambed::bindings {

// CPython (3.11 to 3.13 at least) ends all sub-interpreters in a forked child while it holds the lock of their list, and
// ending one takes that lock: os.fork() never returns in the child. This lets the child find the main interpreter alone in
// the list. What the others held is not given back, in a process that can use none of it.
void make_fork_return_with_sub_interpreters();

}  // namespace lambed::bindings
