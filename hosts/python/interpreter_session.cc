#include "interpreter_session.h"

namespace lambed::python {

namespace {

PyThreadState* new_sub_interpreter(const PythonVm& vm) {
  if (py.Py_NewInterpreterFromConfig == nullptr) return py.Py_NewInterpreter();
  InterpreterConfiguration configuration{};
  configuration.use_main_obmalloc = vm.has_own_locks() ? 0 : 1;
  configuration.allow_fork = 0;  // would copy the application
  configuration.allow_exec = 0;  // would replace it
  configuration.allow_threads = 1;
  configuration.allow_daemon_threads =
      1;  // common in handlers; what is left of them at the end is dealt with
  // With a shared lock the standard library's own single-phase modules (3.12: _decimal) work in every interpreter; those of
  // others the bootstrap tells by their files.
  configuration.check_multi_interp_extensions = vm.has_own_locks() ? 1 : 0;
  configuration.gil = vm.has_own_locks() ? kGilOwn : kGilShared;
  PyThreadState* state = nullptr;
  const Status status = py.Py_NewInterpreterFromConfig(&state, &configuration);
  return py.PyStatus_Exception(status) != 0 ? nullptr : state;
}

void leave_state(PyThreadState* state) {
  py.PyThreadState_Clear(state);
  py.PyThreadState_DeleteCurrent();
}

}  // namespace

InterpreterSession::InterpreterSession(PythonVm& vm, PyThreadState* state, bool is_main)
    : vm_(vm), state_(state), interpreter_(py.PyThreadState_GetInterpreter(state)), is_main_(is_main) {}

std::unique_ptr<InterpreterSession> InterpreterSession::make_sub_interpreter(PythonVm& vm) {
  // Before it is made: that takes a while and lets go of the lock, and Python must not be finalised meanwhile.
  if (!vm.count_interpreter()) return nullptr;
  PyThreadState* const visitor = py.PyThreadState_New(vm.main_interpreter());
  py.PyEval_RestoreThread(visitor);
  PyThreadState* const first = new_sub_interpreter(vm);
  if (first == nullptr) {
    py.PyThreadState_Swap(visitor);
    py.PyErr_Clear();
    leave_state(visitor);
    vm.discount_interpreter();
    return nullptr;
  }
  // PyGILState_Ensure, which sqlite3 and ctypes call back through, takes the first thread state that a thread ever had: the
  // visitor's of the main interpreter, whose lock it would wait for with ours held. So the visitor goes, and a second state,
  // made when the thread has none on record, takes the place of the first.
  py.PyThreadState_Swap(visitor);
  leave_state(visitor);
  py.PyEval_RestoreThread(first);
  PyThreadState* const state = py.PyThreadState_New(py.PyThreadState_GetInterpreter(first));
  py.PyThreadState_Swap(state);
  py.PyThreadState_Clear(first);
  py.PyThreadState_Delete(first);
  return std::unique_ptr<InterpreterSession>(new InterpreterSession(vm, state, false));
}

std::unique_ptr<InterpreterSession> InterpreterSession::enter_main(PythonVm& vm) {
  if (!vm.count_interpreter()) return nullptr;
  PyThreadState* const state = py.PyThreadState_New(vm.main_interpreter());
  py.PyEval_RestoreThread(state);
  return std::unique_ptr<InterpreterSession>(new InterpreterSession(vm, state, true));
}

std::unique_ptr<InterpreterSession> InterpreterSession::enter_as_main_thread(PythonVm& vm) {
  if (!vm.count_interpreter()) return nullptr;
  py.PyEval_RestoreThread(vm.own_state());
  return std::unique_ptr<InterpreterSession>(new InterpreterSession(vm, vm.own_state(), true));
}

int InterpreterSession::other_threads(PythonLock&) const {
  if (is_main_) return 0;
  int others = -1;
  for (PyThreadState* each = py.PyInterpreterState_ThreadHead(interpreter_); each != nullptr;
       each = py.PyThreadState_Next(each)) {
    ++others;
  }
  return others;
}

void InterpreterSession::release_import_lock(PythonLock&) const {
  if (py.at_least(3, 12) || py._PyImport_ReleaseLock == nullptr) return;
  while (py._PyImport_ReleaseLock() > 0) {
  }
}

void InterpreterSession::leave(bool keep) {
  if (state_ == vm_.own_state()) {
    py.PyEval_SaveThread();
    vm_.discount_interpreter();
    return;
  }
  if (is_main_) {
    leave_state(state_);
    vm_.discount_interpreter();
    return;
  }
  if (keep) {
    // Threads that are left in it end, and visitors come: an interpreter must not be without any state in between, since 3.11 ends
    // the process when it is given its first one for the second time. So one stays for good.
    py.PyThreadState_New(interpreter_);
    leave_state(state_);
    return;  // still counted: Python cannot be finalised any more
  }
  py.Py_EndInterpreter(state_);
  if (!py.at_least(3, 12)) {
    // 3.11 comes back with the lock held and no thread state; PyEval_RestoreThread would wait for it for ever.
    PyThreadState* const visitor = py.PyThreadState_New(vm_.main_interpreter());
    py.PyThreadState_Swap(visitor);
    leave_state(visitor);
  }
  vm_.discount_interpreter();
}

}  // namespace lambed::python
