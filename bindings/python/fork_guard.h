// fork() of a Python that has sub-interpreters, and the exit of the child.
#pragma once

namespace lambed::bindings {

// CPython (3.11 to 3.13 at least) ends all sub-interpreters in a forked child while it holds the lock of their list, and
// ending one takes that lock: os.fork() never returns in the child. This lets the child find the main interpreter alone in
// the list. What the others held is not given back, in a process that can use none of it.
void make_fork_return_with_sub_interpreters();

// A gateway is made. A child forked later ends without the destructors of libraries: libuv's, for one, joins the threads of its
// pool, which stayed with the parent, and crashes. Python has been finalised by then, what is buffered is written.
void end_forked_children_early();

}  // namespace lambed::bindings
