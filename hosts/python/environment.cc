#include "environment.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

#include "main_seat.h"

namespace lambed::python {

namespace {

// How long threads that a function left behind get to end before their interpreter is kept for them.
constexpr std::chrono::milliseconds kThreadGrace{500};
constexpr std::chrono::milliseconds kThreadStep{5};
constexpr clockid_t kNoClock = -1;

constexpr const char* kRunsInMain = "runs in the main interpreter, one environment at a time";
constexpr const char* kGoesOnWithout = "goes on without it";

}  // namespace

Environment::Environment(const lambed_environment_options& options, PythonVm& vm)
    : settings_(options),
      vm_(vm),
      output_(std::make_shared<Output>(vm.core(), options.user)),
      interruption_(std::make_shared<Interruption>()),
      account_(std::make_shared<MemoryAccount>()),
      cpu_clock_(kNoClock) {
  interruption_->begin(0);  // before anyone can ask to stop it
  LockSharing::instance().begin_init();
}

void Environment::prepare_thread() {
  pthread_setname_np(pthread_self(), "lambed-python");
  clockid_t clock = kNoClock;
  if (pthread_getcpuclockid(pthread_self(), &clock) == 0) cpu_clock_ = clock;
  // Working directory and umask of this thread, and of those it starts, become its own: chdir in a handler cannot move the
  // application. Some containers refuse it; then the bootstrap refuses chdir.
  own_folder_ = unshare(CLONE_FS) == 0;
  if (own_folder_ && chdir(settings_.task_root.c_str()) != 0) {
    // A missing folder shows in the import error.
  }
}

// Of a worker: the function has it for itself, and finds what Lambda's runtime would find.
void Environment::prepare_process() {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);  // whatever the launcher needed
  clearenv();
  for (const auto& [name, value] : settings_.variables) setenv(name.c_str(), value.c_str(), 1);
  own_folder_ = true;
  if (chdir(settings_.task_root.c_str()) != 0) {
    // A missing folder shows in the import error.
  }
}

void Environment::serve_as_process() {
  prepare_process();
  if (const auto session = InterpreterSession::enter_as_main_thread(vm_)) {
    serve_in(*session);
  } else {
    refuse("Python has been stopped: the process ends");
  }
}

void Environment::run() {
  if (vm_.is_worker()) {
    serve_as_process();
    output_->shut();
    vm_.core()->closed(settings_.user);
    return;
  }
  prepare_thread();
  const bool known = vm_.needs_main(settings_.code_id);
  if (known || !serve(Place::kSubInterpreter)) serve(Place::kMainInterpreter);
  output_->shut();
  vm_.core()->closed(settings_.user);
}

void Environment::end_init() {
  if (std::exchange(in_init_, false)) LockSharing::instance().end_init();
}

void Environment::refuse(const std::string& why) {
  opened({LAMBED_OUTCOME_REFUSED, LAMBED_OUTCOME_DISCARD, 0, 0, why, ""});
}

bool Environment::serve(Place place) {
  if (place == Place::kSubInterpreter) {
    charge_thread_to(account_);
    const std::unique_ptr<InterpreterSession> session = InterpreterSession::make_sub_interpreter(vm_);
    if (session == nullptr) {
      refuse("Python could not make another interpreter: out of memory, or the process ends");
      return true;
    }
    return serve_in(*session);
  }
  if (!vm_.is_ours()) {
    refuse("function " + settings_.function_name +
           " uses an extension module that does not support sub-interpreters, and the main interpreter is "
           "the application's: "
           "use process isolation");
    return true;
  }
  end_init();  // whoever sits there may stay for long
  bool interrupted = false;
  const std::string reason = MainSeat::instance().take(settings_, *interruption_, interrupted);
  if (interrupted) {
    opened({LAMBED_OUTCOME_INTERRUPTED, LAMBED_OUTCOME_DISCARD, 0, 0, "", ""});
    return true;
  }
  if (!reason.empty()) {
    refuse("function " + settings_.function_name + " " + reason);
    return true;
  }
  charge_thread_to(account_);
  if (const auto session = InterpreterSession::enter_main(vm_)) {
    serve_in(*session);
  } else {
    refuse("Python has been stopped: the process ends");
  }
  MainSeat::instance().give_back();
  return true;
}

bool Environment::serve_in(InterpreterSession& session) {
  PythonLock lock;
  auto state = std::make_shared<NativeState>();
  state->output = output_;
  state->interruption = interruption_;
  state->account = account_;
  bool keep = false;
  bool needs_main = false;
  {
    Function function(settings_, state, vm_);
    const Outcome outcome = function.load(lock, session, own_folder_);
    session.release_import_lock(lock);
    const bool succeeded = outcome.kind == LAMBED_OUTCOME_SUCCESS;
    if (!state->refused_module.empty()) {
      needs_main =
          outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR;  // where there is none for it, `serve` says so
      tell_of_refused_module(state->refused_module, needs_main ? kRunsInMain : kGoesOnWithout);
      if (needs_main) vm_.remember_needs_main(settings_.code_id);
    }
    if (!needs_main) opened(outcome);
    if (succeeded) {
      const bool failed = serve_invocations(lock, function);
      session.release_import_lock(lock);
      if (failed &&
          !state->refused_module.empty()) {  // imported by the handler: the next environment does better
        tell_of_refused_module(state->refused_module, kRunsInMain);
        vm_.remember_needs_main(settings_.code_id);
      }
    }
    account_->limit = 0;  // tidying up must not fail
    if (vm_.is_worker()) {
      interruption_->detach(lock);  // the rest ends with the process
    } else if (!end_threads(lock, session, function)) {
      keep = true;
      interruption_->stay();
      vm_.notice(
          settings_.user,
          "function " + settings_.function_name +
              " left a thread that does not end: its interpreter stays in memory until the process ends");
    }
    if (session.is_main() && !vm_.is_worker()) function.forget(lock);
  }
  // A class is in a cycle with itself. The interpreter frees what holds `state` after it has looked for cycles for the last time.
  if (!keep) state->stop_exception.reset();
  state.reset();
  charge_thread_to(nullptr);
  session.leave(keep);
  if (!needs_main) return true;
  account_->used = account_->peak = 0;
  interruption_->begin(0);
  return false;
}

void Environment::tell_of_refused_module(const std::string& module, const char* consequence) {
  vm_.notice(settings_.user, "function " + settings_.function_name + ": the extension module " + module +
                                 " does not support sub-interpreters: the function " + consequence);
}

bool Environment::serve_invocations(PythonLock& lock, Function& function) {
  const lambed_core* const core = vm_.core();
  bool discarded = false;
  while (!abandoned_.load(std::memory_order_relaxed)) {
    lambed_invocation invocation{};
    invocation.size = sizeof invocation;
    switch (core->take(settings_.user, &invocation)) {
      case LAMBED_TAKE_INVOCATION:
        discarded = function.invoke(lock, invocation);
        break;
      case LAMBED_TAKE_NOTHING:
        lock.released([this, core] {
          core->wait(settings_.user);
          LockSharing::instance().let_inits_go_first();
          LockSharing::instance().enter();  // whoever holds the lock now must learn that we want it
        });
        LockSharing::instance().leave();
        break;
      case LAMBED_TAKE_CLOSE:
        return discarded;
    }
  }
  return discarded;
}

bool Environment::end_threads(PythonLock& lock, const InterpreterSession& session, Function& function) {
  interruption_->detach(lock);
  function.stop_threads(lock);
  if (session.other_threads(lock) == 0) return true;
  // Python waits for threads of the interpreter without end, or aborts the process when daemons are left. So their loops are
  // stopped here, and who is stuck in C keeps the interpreter.
  interruption_->raise_everywhere(lock);
  py.PyEval_SetTrace(nullptr, nullptr);
  const auto end = std::chrono::steady_clock::now() + kThreadGrace;
  while (session.other_threads(lock) > 0) {
    if (std::chrono::steady_clock::now() > end) return false;
    lock.released([] { std::this_thread::sleep_for(kThreadStep); });
  }
  return true;
}

void Environment::opened(const Outcome& outcome) {
  output_->end_of_invocation();
  lambed_outcome raw{};
  raw.size = sizeof raw;
  raw.kind = outcome.kind;
  raw.flags = outcome.flags;
  raw.exit_code = outcome.exit_code;
  raw.term_signal = outcome.term_signal;
  raw.payload = {outcome.payload.data(), outcome.payload.size()};
  raw.error_type = {outcome.error_type.data(), outcome.error_type.size()};
  raw.memory_peak = account_->peak_bytes();
  vm_.core()->opened(settings_.user, &raw);
  end_init();
}

void Environment::abandon() {
  abandoned_.store(true, std::memory_order_relaxed);
  interruption_->request_everything();
}

void Environment::usage(lambed_usage& usage) const {
  usage.memory = account_->used_bytes();
  usage.memory_peak = account_->peak_bytes();
  usage.cpu_ns = 0;
  const clockid_t clock = cpu_clock_;
  timespec used{};
  if (clock != kNoClock && clock_gettime(clock, &used) == 0) {
    usage.cpu_ns =
        static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
  }
}

}  // namespace lambed::python
