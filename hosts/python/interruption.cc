#include "interruption.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "signals.h"

namespace lambed::python {

namespace {

// Processor time in ns within one turn of LockSharing that tells a runner from one that waits, also on a busy machine.
constexpr std::int64_t kTurnOnProcessor = 200'000;
// As much since it was told to stop, and an environment cannot have been waiting for the lock all the time.
constexpr std::int64_t kHardlyRun = 500'000'000;

// Raises at each line that Python code comes to: what swallows one exception meets the next.
int raise_at_every_line(PyObject* stop_exception, struct _frame*, int, PyObject*) {
  py.PyErr_SetNone(stop_exception);
  return -1;
}

// 3.11 calls a trace function when the line changes or code jumps backwards, but `while True: pass` is one instruction that
// jumps to itself: that is neither. So what runs already is traced at each instruction; what it calls is met at its entry.
void trace_each_instruction(PyThreadState* state) {
  if (py.PyThreadState_GetFrame == nullptr) return;
  Ref frame = Ref::steal(py.PyThreadState_GetFrame(state));
  while (frame && frame.get() != py.none) {
    const Ref yes = Ref::steal(py.PyBool_FromLong(1));
    py.PyObject_SetAttrString(frame.get(), "f_trace_opcodes", yes.get());
    frame = Ref::steal(py.PyObject_GetAttrString(frame.get(), "f_back"));
  }
  py.PyErr_Clear();  // without memory for a frame's object the lines have to do
}

}  // namespace

Interruption::~Interruption() {
  if (active_) LockSharing::instance().leave();
}

void Interruption::begin(std::uint64_t token) {
  std::lock_guard lock(mutex_);
  if (!active_) LockSharing::instance().enter();
  active_ = true;
  ++begins_;
  token_ = token;
  requests_ = early_token_ == token ? early_requests_ : 0;
  if (abandoned_) requests_ += 2;
  early_token_ = early_requests_ = 0;
  raised_ = false;
  if (requests_ > 0) start_interrupting();
}

Stopped Interruption::end(PythonLock& lock) {
  bool raised = false;
  bool exits = false;
  int requests = 0;
  {
    std::lock_guard guard(mutex_);
    if (active_) LockSharing::instance().leave();
    active_ = false;
    raised = raised_;
    exits = exit_.requested;
    requests = requests_;
  }
  // Whoever raises holds the interpreter's lock while it looks at active_: from here on nothing more is raised in us.
  if (raised || exits) {
    py.PyEval_SetTrace(nullptr, nullptr);
    withdraw(lock);
  }
  if (raised) return Stopped::kRaised;
  return requests > 0 ? Stopped::kTooLate : Stopped::kNo;
}

void Interruption::withdraw(PythonLock&) {
  py.PyThreadState_SetAsyncExc(thread_, nullptr);
  // Before 3.13 that leaves the interpreter's mark "an exception waits for a thread" standing, which only a thread that meets
  // one takes down. Every call would be slower with it, and a thread with a trace function would go round in its next call
  // for ever, with the interpreter's lock. So this thread meets one.
  py.PyThreadState_SetAsyncExc(static_cast<unsigned long>(pthread_self()), stop_exception_);
  const Ref never = Ref::steal(py.PyObject_CallObject(idle_, nullptr));
  py.PyErr_Clear();
}

void Interruption::attach(PythonLock&, const InterpreterSession& session, PyObject* stop_exception,
                          PyObject* idle) {
  LockSharing::instance().join(shared_from_this());
  std::lock_guard lock(mutex_);
  interpreter_ = session.interpreter();
  attached_ = true;
  thread_ = static_cast<unsigned long>(pthread_self());  // what PyThread_get_thread_ident gives on Linux
  has_clock_ = pthread_getcpuclockid(pthread_self(), &own_.clock) == 0;
  stop_exception_ = stop_exception;
  idle_ = idle;
}

void Interruption::detach(PythonLock& lock) {
  LockSharing::instance().part(this);
  lock.released([this] {
    std::unique_lock guard(mutex_);
    attached_ = false;
    has_clock_ = false;  // the thread ends, and with it its clock
    changed_.wait(guard, [this] { return !interrupting_ && !visiting_; });
    if (!threads_.empty()) LockSharing::instance().leave();
  });
  py.PyEval_SetTrace(nullptr, nullptr);  // an interrupting thread may have come after `end`
}

void Interruption::stay() {
  LockSharing::instance().join(shared_from_this());
  std::lock_guard lock(mutex_);
  attached_ = true;
  if (!threads_.empty()) LockSharing::instance().enter();
}

void Interruption::note_thread() {
  Runner runner;
  if (pthread_getcpuclockid(pthread_self(), &runner.clock) != 0) return;
  std::lock_guard lock(mutex_);
  if (!attached_) return;
  if (threads_.empty()) LockSharing::instance().enter();
  threads_.push_back(runner);
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
  {
    std::lock_guard guard(mutex_);
    if (!exit_.requested) exit_ = {true, exit_code, term_signal};
  }
  withdraw(lock);
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
    trace_each_instruction(each);
    py._PyEval_SetTrace(each, raise_at_every_line, stop_exception_);
  }
}

lambed_interrupt Interruption::request(std::uint64_t token) {
  std::lock_guard lock(mutex_);
  if (!active_ && token != token_ && token != 0) {
    // Handed out, but our thread has not come to `begin` yet.
    if (early_token_ != token) early_requests_ = 0;
    early_token_ = token;
    ++early_requests_;
    return LAMBED_INTERRUPT_PENDING;
  }
  if (!active_ || token_ != token) return LAMBED_INTERRUPT_STOPPED;
  if (++requests_ == 1) used_at_request_ = processor_time();
  // Our thread still waits for the interpreter's lock since the last request, or the interpreter is still being made. Unless it
  // is this environment that has the lock all the time, in C, it is others that keep both.
  const bool is_late = requests_ > 1 && (interrupting_ || !attached_);
  const lambed_interrupt said = start_interrupting();
  return is_late && processor_time() - used_at_request_ < kHardlyRun ? LAMBED_INTERRUPT_WAITING : said;
}

std::int64_t Interruption::processor_time() const {
  timespec used{};
  if (!has_clock_ || clock_gettime(own_.clock, &used) != 0) return 0;
  return std::int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

void Interruption::request_everything() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  if (!active_) return;
  requests_ += 2;
  start_interrupting();
}

lambed_interrupt Interruption::start_interrupting() {
  // Without an interpreter yet, init looks at requests_ when it has one.
  if (interrupting_ || !attached_) return LAMBED_INTERRUPT_PENDING;
  try {
    const AllSignalsBlocked blocked;
    std::thread([self = shared_from_this(), token = token_] { self->interrupt_in_thread(token); }).detach();
    interrupting_ = true;
  } catch (const std::system_error&) {
    // No room for a thread now: the core asks again.
  }
  return LAMBED_INTERRUPT_PENDING;
}

// Who waits - for the lock, for input, for a module that another imports - keeps nobody from running. A visitor for each of
// dozens that wait would be dozens more who want the lock, before those that have something to do with it.
bool Interruption::has_used_its_turn(Runner& runner, bool& ended) {
  timespec used{};
  if (clock_gettime(runner.clock, &used) != 0) {
    ended = true;
    return false;
  }
  const std::int64_t now = std::int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
  return now - std::exchange(runner.used, now) >= kTurnOnProcessor;
}

bool Interruption::have_threads_used_their_turn() {
  if (threads_.empty()) return false;
  bool any = false;
  threads_.erase(std::remove_if(threads_.begin(), threads_.end(),
                                [&any](Runner& thread) {
                                  bool ended = false;
                                  any = has_used_its_turn(thread, ended) || any;
                                  return ended;
                                }),
                 threads_.end());
  if (threads_.empty() && attached_) LockSharing::instance().leave();
  return any;
}

void Interruption::give_way() {
  std::lock_guard lock(mutex_);
  bool ended = false;
  const bool used = has_clock_ && has_used_its_turn(own_, ended);
  const bool ran_since = used && active_ && begins_seen_ == begins_;
  const bool threads_ran = have_threads_used_their_turn();
  begins_seen_ = begins_;
  if (!attached_ || visiting_ || interrupting_ || !(ran_since || threads_ran)) return;
  try {
    const AllSignalsBlocked blocked;
    std::thread([self = shared_from_this()] { self->visit_in_thread(); }).detach();
    visiting_ = true;
  } catch (const std::system_error&) {
    // No room for a thread now: the next turn comes in a few milliseconds.
  }
}

void Interruption::visit_in_thread() {
  // `detach` waits for us, so the interpreter cannot go away meanwhile.
  PyThreadState* const state = py.PyThreadState_New(interpreter_);
  py.PyEval_RestoreThread(state);
  py.PyEval_SetTrace(nullptr, nullptr);  // `raise_everywhere` means us, too
  py.PyThreadState_Clear(state);
  py.PyThreadState_DeleteCurrent();
  std::lock_guard guard(mutex_);
  visiting_ = false;
  changed_.notify_all();
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
    everywhere = requests_ > 1;
    if (active_ && token_ == token) {
      raised_ = true;
      if (!everywhere) py.PyThreadState_SetAsyncExc(thread_, stop_exception_);
    }
  }
  if (everywhere) {
    // The first means gives way to the second: both at once would hang the interpreter, see `withdraw`.
    withdraw(lock);
    bool still_runs = false;
    {
      // Once more, since `withdraw` may have let go of the interpreter's lock.
      std::lock_guard guard(mutex_);
      still_runs = active_ && token_ == token;
    }
    if (still_runs) raise_everywhere(lock);
  }
  py.PyEval_SetTrace(nullptr, nullptr);  // our own state is among all threads
  py.PyThreadState_Clear(state);
  py.PyThreadState_DeleteCurrent();
  std::lock_guard guard(mutex_);
  interrupting_ = false;
  changed_.notify_all();
}

}  // namespace lambed::python
