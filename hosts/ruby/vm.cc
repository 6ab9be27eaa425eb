#include "vm.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <thread>

#include "bootstrap.h"
#include "find_ruby.h"
#include "natives.h"
#include "ruby_library.h"

namespace lambed::ruby {

namespace {

constexpr size_t kStackSize = size_t{64}
                              << 20;  // reserved, not used: deep recursion fails as SystemStackError first
constexpr std::chrono::seconds kStopPatience{1};
// Ruby tells by its process's number that it has been copied. In a container a launcher's number can be as low as the ones that
// workers have in namespaces of their own.
constexpr pid_t kMostWorkerNumber = 8;

// Ruby keeps these pointers, and `$0 =` writes into what they point to.
char program[] = "ruby";
char features[] = "--disable=did_you_mean,error_highlight,rubyopt";
char encoding[] = "--encoding=UTF-8";
char flag[] = "-e";
char script[] = "0";
char* arguments[] = {program, features, encoding, flag, script, nullptr};

// From 3.2 on Ruby has a thread of its own beside the main one as soon as it is set up.
bool can_be_copied(const std::string& version) {
  int major = 0;
  int minor = 0;
  return std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2 &&
         (major < 3 || (major == 3 && minor < 2));
}

}  // namespace

Vm& Vm::instance() {
  static Vm* const vm = new Vm;
  return *vm;
}

std::string Vm::start(const lambed_core& core, lambed_context context, const std::string& interpreter,
                      bool is_warm) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kRunning) return {};
    if (state_ != State::kStopped) {
      return "Ruby cannot be started a second time in one process; start a new process";
    }
  }
  std::string problem;
  for (const std::string& library : find_ruby_libraries(interpreter, problem)) {
    const std::string failure = open_ruby_library(library, version_);
    if (failure.empty()) {
      library_ = library;
      break;
    }
    if (problem.empty()) problem = failure;
  }
  if (library_.empty()) {
    return "no usable Ruby: " + problem +
           ". Install Ruby 2.7 to 3.4 with its shared library (Debian: apt install ruby), or name one in "
           "LAMBED_RUBY";
  }

  core_ = &core;
  context_ = context;
  if (is_worker()) {
    boots_in_worker_ = !is_warm || !can_be_copied(version_) || getpid() <= kMostWorkerNumber;
    return boots_in_worker_ ? "" : start_on_this_thread();
  }
  const SignalDispositions before;
  set_state(State::kStarting);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int failed = pthread_create(&thread, &attributes, thread_main, this);
  pthread_attr_destroy(&attributes);
  if (failed != 0) {
    set_state(State::kStopped);
    return "no thread for the Ruby VM: the process has too many threads or too little memory";
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return state_ != State::kStarting; });
  lock.unlock();
  before.restore_all_but_vtalrm();
  return start_problem_;
}

std::string Vm::start_on_this_thread() {
  const SignalDispositions before;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  VALUE stack_base = 0;  // Ruby takes the whole stack of a process's first thread, wherever this lies
  int count = 5;
  char** argument_list = arguments;
  rb.ruby_sysinit(&count, &argument_list);
  rb.ruby_init_stack(&stack_base);
  start_problem_ = boot();
  ruby_signals_.emplace();
  before.restore_all_but_vtalrm();
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  set_state(start_problem_.empty() ? State::kRunning : State::kFailed);
  return start_problem_;
}

bool Vm::before_fork() {
  if (!is_worker() || !start_problem_.empty()) return false;
  if (boots_in_worker_) return true;
  if (!ruby_signals_.has_value()) return false;
  prepare_bootstrap_to_be_forked();
  return true;
}

void Vm::after_fork(bool is_child) {
  if (!is_child || boots_in_worker_) return;
  rb.rb_thread_atfork();
  tell_bootstrap_of_fork();
}

void Vm::serve(const lambed_environment_options& options, lambed_environment** environment) {
  *environment = new lambed_environment(next_id_++, options);
  ++environments_;
  begin_work();
  (*environment)->adopt_calling_thread();
  if (boots_in_worker_) {
    if (const std::string problem = start_on_this_thread(); !problem.empty()) {
      refuse_worker(*environment, problem);
      return;
    }
  }
  ruby_signals_->restore_all_but_vtalrm();
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  serve_as_process(*environment);
}

void* Vm::thread_main(void* vm) {
  static_cast<Vm*>(vm)->run();
  return nullptr;
}

void Vm::run() {
  VALUE stack_base = 0;
  int count = 5;
  char** argument_list = arguments;
  rb.ruby_sysinit(&count, &argument_list);
  rb.ruby_init_stack(&stack_base);
  start_problem_ = boot();
  child_watch_.adopt_ruby_handler();
  if (!start_problem_.empty()) {
    set_state(State::kFailed);
    return;
  }
  set_state(State::kRunning);
  // Beside a thread that cannot be ended ruby_cleanup would wait for ever. This thread keeps the VM's lock instead, so that no
  // other runs Ruby code again.
  if (run_bootstrap_loop()) {
    const SignalDispositions before;
    rb.ruby_cleanup(0);
    before.restore_all_but_vtalrm();
  }
  set_state(State::kEnded);
}

int Vm::set_up() {
  std::optional<TimersWithheld> withheld;
  if (is_worker() && !boots_in_worker_) withheld.emplace();
  return rb.ruby_setup();
}

std::string Vm::boot() {
  if (set_up() != 0) return "Ruby " + version_ + " failed to set up its VM";
  if (!is_worker()) block_application_signals();
  void* const node = rb.ruby_options(5, arguments);
  int status = 0;
  if (rb.ruby_executable_node(node, &status) == 0) return "Ruby " + version_ + " refused its start options";
  if (rb.ruby_exec_node(node) != 0) return "Ruby " + version_ + " failed to start";
  return load_bootstrap(is_worker() ? BootstrapPlace::kWorker : BootstrapPlace::kShared);
}

void Vm::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kRunning) return;
  }
  if (is_worker()) return;  // keeps nothing that the process's end does not give back
  // What still runs would be pulled from under its feet; the process's end takes care of it.
  if (environments_ > 0) return;
  push(Command{Command::kStop, nullptr, 0, 0, InterruptMeans::kNone});
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kStopPatience, [this] { return state_ == State::kEnded; });
}

lambed_environment* Vm::open(const lambed_environment_options& options) {
  auto* const environment = new lambed_environment(next_id_++, options);
  ++environments_;
  begin_work();
  if (const std::string reason = poison(); !reason.empty()) {
    refuse(environment, LAMBED_OUTCOME_REFUSED, reason);
  } else {
    push(Command{Command::kOpen, environment, environment->id, 0, InterruptMeans::kNone});
  }
  return environment;
}

lambed_interrupt Vm::interrupt(lambed_environment& environment, std::uint64_t token) {
  if (!environment.runs(token)) return LAMBED_INTERRUPT_STOPPED;
  if (token == 0) {
    // Nobody has begun: perhaps because nobody can, when a handler keeps the VM's lock.
    if (lambed_environment* const waiting = withdraw(environment)) {
      refuse(waiting, LAMBED_OUTCOME_INTERRUPTED, {});
      return LAMBED_INTERRUPT_PENDING;
    }
  }
  const InterruptMeans means = environment.next_means(token, core_->monotonic_ns());
  if (means == InterruptMeans::kGiveUp) {
    count_stuck(environment);
    return LAMBED_INTERRUPT_UNSUPPORTED;
  }
  if (means != InterruptMeans::kNone) {
    push(Command{Command::kInterrupt, nullptr, environment.id, token, means});
  }
  return at_work_ > 1 && environment.has_hardly_run() ? LAMBED_INTERRUPT_WAITING : LAMBED_INTERRUPT_PENDING;
}

void Vm::abandon(lambed_environment& environment) {
  if (lambed_environment* const waiting = withdraw(environment)) {
    refuse(waiting, LAMBED_OUTCOME_INTERRUPTED, {});
    return;
  }
  count_stuck(environment);
}

void Vm::closed(lambed_environment* environment) {
  if (environment->is_stuck()) --stuck_environments_;
  --environments_;
  core_->closed(environment->user);
  delete environment;
}

std::string Vm::poison() const {
  if (!is_poisoned()) return {};
  const std::lock_guard lock(mutex_);
  return "the Ruby VM of this process is held up by function '" + stuck_function_ +
         "', which could not be stopped: Ruby cannot end a long call into C or an `ensure` that never ends. "
         "Run that function with `process` isolation, where it can be killed, and restart this process to "
         "use Ruby in it again";
}

void Vm::count_stuck(lambed_environment& environment) {
  {
    const std::lock_guard lock(mutex_);
    stuck_function_ = environment.function_name;
  }
  if (!environment.mark_stuck()) return;
  ++stuck_environments_;
  push(Command{Command::kInterrupt, nullptr, environment.id, 0, InterruptMeans::kGiveUp});
  const std::string reason = poison();
  core_->notice(environment.user, {reason.data(), reason.size()});
  std::deque<Command> kept;
  std::deque<Command> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (const Command& command : commands_)
      (command.kind == Command::kOpen ? waiting : kept).push_back(command);
    commands_.swap(kept);
  }
  for (const Command& command : waiting) refuse(command.environment, LAMBED_OUTCOME_REFUSED, reason);
}

// Answers for an environment that has no thread. By a thread of its own, because `open` and `interrupt` return at once and
// their caller may hold locks that `opened` needs.
void Vm::refuse(lambed_environment* environment, lambed_outcome_kind kind, const std::string& message) {
  environment->initialising = false;
  end_work();
  std::thread([this, environment, kind, message] {
    lambed_outcome outcome{};
    outcome.size = sizeof outcome;
    outcome.kind = kind;
    outcome.flags = LAMBED_OUTCOME_DISCARD;
    outcome.payload = {message.data(), message.size()};
    core_->opened(environment->user, &outcome);
    closed(environment);
  }).detach();
}

void Vm::refuse_worker(lambed_environment* environment, const std::string& message) {
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = LAMBED_OUTCOME_REFUSED;
  outcome.flags = LAMBED_OUTCOME_DISCARD;
  outcome.payload = {message.data(), message.size()};
  core_->opened(environment->user, &outcome);
  closed(environment);
}

// Takes back the command to open it, if that is still waiting.
lambed_environment* Vm::withdraw(const lambed_environment& environment) {
  const std::lock_guard lock(mutex_);
  for (auto command = commands_.begin(); command != commands_.end(); ++command) {
    if (command->kind != Command::kOpen || command->environment != &environment) continue;
    lambed_environment* const found = command->environment;
    commands_.erase(command);
    return found;
  }
  return nullptr;
}

void Vm::push(const Command& command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(command);
  changed_.notify_all();
}

void Vm::wait_command() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return nudged_ || !commands_.empty(); });
  nudged_ = false;
}

void Vm::nudge() {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
}

Command Vm::take_command() {
  const std::lock_guard lock(mutex_);
  if (commands_.empty()) return {};
  const Command command = commands_.front();
  commands_.pop_front();
  return command;
}

void Vm::set_state(State state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  changed_.notify_all();
}

}  // namespace lambed::ruby
