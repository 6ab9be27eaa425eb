// fork() of a Python program that has used a gateway.
#pragma once

namespace lambed::bindings {

// Called when a gateway is made, with the GIL held; the first call counts. Two things that a later os.fork() would otherwise
// meet, also the forks of multiprocessing and of subprocess with preexec_fn:
//
// 1. It would never return in the child. CPython (3.11 to 3.14, _PyInterpreterState_DeleteExceptMain) takes the lock of its list
//    of interpreters there, then ends each sub-interpreter, which takes that lock again. Nothing of Python's runs in the child
//    before that, and there is no call that takes an interpreter out of the list without ending it. So a handler of
//    pthread_atfork, which runs within fork(), sets the list's head to the main interpreter, the only one whose thread is there.
//    What the others held is not given back, in a process that can use none of it.
// 2. The child would crash as it ends, in the destructors of libraries whose threads stayed with the parent: libuv's joins those
//    of its pool. It ends without them instead; Python has been finalised and what is buffered been written by then.
void prepare_for_fork();

}  // namespace lambed::bindings
