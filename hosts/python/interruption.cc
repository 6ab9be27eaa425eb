#include "interruption.h"

#include <pthread.h>

#include <system_error>
#include <thread>

#include "signals.h"

namespace lambed::python {

namespace {

// Raises at each line that Python code comes to: what swallows one exception meets the next.
int raise_at_every_line(PyObject* stop_exception, struct _frame*, int, PyObject*) {
  py.PyErr_SetNone(stop_exception);
  return -1;
}

}  // namespace

void Interruption::begin(std::uint64_t token) {
  std::lock_guard lock(mutex_);
  active_ = true;
  token_ = token;
  requests_ = 0;
  raised_ = false;
}

Stopped Interruption::end(PythonLock&) {
  std::lock_guard lock(mutex_);
  active_ = false;
  if (raised_ || exit_.requested) {
    // Raised by a thread that held the interpreter's lock, as we do now: what was not delivered yet can be taken back.
    py.PyThreadState_SetAsyncExc(thread_, nullptr);
    py.PyEval_SetTrace(nullptr, nullptr);
  }
  if (raised_) return Stopped::kRaised;
  return requests_ > 0 ? Stopped::kTooLate : Stopped::kNo;
}

void Interruption::attach(PythonLock&, const InterpreterSession& session, PyObject* stop_exception) {
  std::lock_guard lock(mutex_);
  interpreter_ = session.interpreter();
  thread_state_ = session.thread_state();
  thread_ = static_cast<unsigned long>(pthread_self());  // what PyThread_get_thread_ident gives on Linux
  stop_exception_ = stop_exception;
}

void Interruption::detach(PythonLock& lock) {
  lock.released([this] {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return !interrupting_; });
    interpreter_ = nullptr;
    thread_state_ = nullptr;
  });
  py.PyEval_SetTrace(nullptr, nullptr);  // an interrupting thread may have come after `end`
}

bool Interruption::is_requested() const {
  std::lock_guard lock(mutex_);
  return requests_ > 0;
}

ExitRequest Interruption::exit_request() const {
  std::lock_guard lock(mutex_);
  return exit_;
}

void Interruption::exit_now(PythonLock& lock, int exit_code, int term_signal) {
  unsigned long thread = 0;
  {
    std::lock_guard guard(mutex_);
    if (!exit_.requested) exit_ = {true, exit_code, term_signal};
    if (active_) thread = thread_;
  }
  if (thread != 0) py.PyThreadState_SetAsyncExc(thread, stop_exception_);
  raise_everywhere(lock);
}

void Interruption::raise_everywhere(PythonLock&) {
  if (py.PyEval_SetTraceAllThreads != nullptr) {
    py.PyEval_SetTraceAllThreads(raise_at_every_line, stop_exception_);
    return;
  }
  if (py._PyEval_SetTrace == nullptr) return;
  for (PyThreadState* each = py.PyInterpreterState_ThreadHead(interpreter_); each != nullptr;
       each = py.PyThreadState_Next(each)) {
    py._PyEval_SetTrace(each, raise_at_every_line, stop_exception_);
  }
}

lambed_interrupt Interruption::request(std::uint64_t token) {
  std::lock_guard lock(mutex_);
  if (!active_ || token_ != token) return LAMBED_INTERRUPT_STOPPED;
  ++requests_;
  return start_interrupting();
}

void Interruption::request_everything() {
  std::lock_guard lock(mutex_);
  if (!active_) return;
  requests_ += 2;
  start_interrupting();
}

lambed_interrupt Interruption::start_interrupting() {
  // Without an interpreter yet, init looks at requests_ when it has one.
  if (interrupting_ || interpreter_ == nullptr) return LAMBED_INTERRUPT_PENDING;
  try {
    const AllSignalsBlocked blocked;
    std::thread([self = shared_from_this(), token = token_] { self->interrupt_in_thread(token); }).detach();
    interrupting_ = true;
  } catch (const std::system_error&) {
    // No room for a thread now: the core asks again.
  }
  return LAMBED_INTERRUPT_PENDING;
}

void Interruption::interrupt_in_thread(std::uint64_t token) {
  // `detach` waits for us, so the interpreter cannot go away meanwhile.
  PyThreadState* const state = py.PyThreadState_New(interpreter_);
  py.PyEval_RestoreThread(
      state);  // blocks while the code is in C and keeps the lock: that is why this is a thread
  PythonLock lock;
  bool everywhere = false;
  {
    std::lock_guard guard(mutex_);
    if (active_ && token_ == token) {
      py.PyThreadState_SetAsyncExc(thread_, stop_exception_);
      raised_ = true;
      everywhere = requests_ > 1;
    }
  }
  if (everywhere) raise_everywhere(lock);
  py.PyEval_SetTrace(nullptr, nullptr);  // our own state is among all threads
  py.PyThreadState_Clear(state);
  py.PyThreadState_DeleteCurrent();
  std::lock_guard guard(mutex_);
  interrupting_ = false;
  changed_.notify_all();
}

}  // namespace lambed::python
