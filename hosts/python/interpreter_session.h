// A thread's stay in an interpreter: a sub-interpreter of its own, or the main one.
#pragma once

#include <memory>
#include <string>

#include "python_api.h"
#include "python_vm.h"

namespace lambed::python {

class InterpreterSession {
 public:
  // Both return with the interpreter's lock held by the calling thread, which must be the one to leave. Null when Python
  // could not make an interpreter.
  static std::unique_ptr<InterpreterSession> make_sub_interpreter(PythonVm& vm);
  static std::unique_ptr<InterpreterSession> enter_main(PythonVm& vm);
  // In a worker: the main interpreter as its own main thread.
  static std::unique_ptr<InterpreterSession> enter_as_main_thread(PythonVm& vm);
  InterpreterSession(const InterpreterSession&) = delete;
  InterpreterSession& operator=(const InterpreterSession&) = delete;

  bool is_main() const { return is_main_; }
  PyInterpreterState* interpreter() const { return interpreter_; }
  PyThreadState* thread_state() const { return state_; }
  // Threads of the function in this sub-interpreter. (In the main interpreter threads of others cannot be told apart: 0.)
  int other_threads(PythonLock& lock) const;
  // Before Python 3.12 all interpreters import under one lock of the process. Code that was interrupted just after importlib
  // had taken it keeps it for ever, and nothing is ever imported again. Called when the code of this session has ended, by
  // its thread, which is the only one that can give it back.
  void release_import_lock(PythonLock& lock) const;
  // Gives the lock back. Ends a sub-interpreter, unless `keep`: then it stays for the threads that still run in it.
  void leave(bool keep);

 private:
  InterpreterSession(PythonVm& vm, PyThreadState* state, bool is_main);
  PythonVm& vm_;
  PyThreadState* state_;
  PyInterpreterState* interpreter_;
  bool is_main_;
};

}  // namespace lambed::python
