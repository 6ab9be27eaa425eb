#include "environment.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

namespace lambed::node_host {
namespace {

// Environments that live, and their threads, which live a little longer. Never destroyed.
struct Census {
  std::mutex mutex;  // guards the counts
  std::condition_variable changed;
  int environments = 0;
  int threads = 0;

  static Census& instance() {
    static auto& census = *new Census;
    return census;
  }
  void begin() {
    std::lock_guard lock(mutex);
    ++environments;
    ++threads;
  }
  void end_environment() {
    std::lock_guard lock(mutex);
    --environments;
  }
  void end_thread() {
    std::lock_guard lock(mutex);
    --threads;
    changed.notify_all();
  }
};

// Heap figures are read at every invocation of the first ones, then now and then; collections read them as
// well.
bool is_sampled(uint64_t invocation) { return (invocation & (invocation - 1)) == 0 || invocation % 256 == 0; }

// Where the memory of a worker is limited by RLIMIT_DATA, any check in V8 may be the first to find that there is no more.
bool is_at_data_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  // Without allocating: there may be nothing left for that.
  char text[128];
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  const ssize_t size = file < 0 ? -1 : ::read(file, text, sizeof text - 1);
  if (file >= 0) ::close(file);
  if (size <= 0) return false;
  text[size] = 0;
  constexpr int kDataField = 5;
  char* at = text;
  for (int skipped = 0; skipped < kDataField; ++skipped) std::strtoull(at, &at, 10);
  const rlim_t used = std::strtoull(at, nullptr, 10) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  constexpr rlim_t kSlack = rlim_t{4} << 20;  // more than V8 asks for at once
  return used + kSlack >= limit.rlim_cur;
}

}  // namespace

Environment* Environment::open(NodeProcess& process, const lambed_environment_options& options,
                               std::string& problem) {
  auto* environment = new Environment(process, options);
  Census::instance().begin();
  // The new thread starts with the application's signals blocked.
  const SignalShield shield;
  try {
    std::thread([environment] { environment->run(); }).detach();
    return environment;
  } catch (const std::system_error& error) {
    Census::instance().end_environment();
    Census::instance().end_thread();
    delete environment;
    problem = std::string("cannot start a thread for the environment: ") + error.what();
    return nullptr;
  }
}

Environment* Environment::make_for_worker(NodeProcess& process, const lambed_environment_options& options) {
  Census::instance().begin();
  auto* const environment = new Environment(process, options);
  environment->adopt(process.take_prepared());
  return environment;
}

void Environment::serve_worker() {
  prepare_process();
  run();
}

// The function finds what a program finds that was started for it.
void Environment::prepare_process() const {
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);  // whatever the launcher needed
  signal(SIGPIPE, SIG_IGN);                      // as node does
  clearenv();
  for (const auto& [name, value] : options_.variables) setenv(name.c_str(), value.c_str(), 1);
}

bool Environment::wait_for_all() {
  Census& census = Census::instance();
  std::unique_lock lock(census.mutex);
  // Nobody closes the ones that are left: they have been given up.
  if (census.environments > 0) return false;
  return census.changed.wait_for(lock, std::chrono::seconds(1), [&] { return census.threads == 0; });
}

Environment::Environment(NodeProcess& process, const lambed_environment_options& options)
    : process_(process), core_(process.core()), options_(options) {
  stop_.arm(0);
  if (!process.is_worker())
    memory_ = std::make_shared<MemoryLimit>(options_.memory_limit, true, [this] { stop_.stop(); });
}

void Environment::adopt(PreparedNode prepared) {
  memory_ = std::move(prepared.memory);
  node_ = std::move(prepared.node);
  bootstrap_ = std::move(prepared.bootstrap);
}

void Environment::usage(lambed_usage& usage) const {
  usage.memory = memory_->used();
  usage.memory_peak = memory_->peak();
  timespec spent{};
  const clockid_t clock = cpu_clock_.load(std::memory_order_acquire);
  if (clock != 0 && clock_gettime(clock, &spent) == 0) {
    usage.cpu_ns = static_cast<uint64_t>(spent.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(spent.tv_nsec);
  }
}

void Environment::run() {
  if (!process_.is_worker()) pthread_setname_np(pthread_self(), "lambed-node");
  clockid_t clock{};
  if (pthread_getcpuclockid(pthread_self(), &clock) == 0) cpu_clock_.store(clock, std::memory_order_release);
  set_fatal_handler_of_this_thread([this](const char* what) { end_by_fatal_error(what); });
  serve();
  set_fatal_handler_of_this_thread(nullptr);
  Census::instance().end_environment();  // before the core, which may end the process, hears of it
  core_.closed(options_.user);
  delete this;
  Census::instance().end_thread();
}

void Environment::serve() {
  std::string problem;
  if (!open_node(problem)) {
    lambed_outcome refused{};
    refused.size = sizeof refused;
    refused.kind = memory_->was_exceeded() ? LAMBED_OUTCOME_OUT_OF_MEMORY : LAMBED_OUTCOME_REFUSED;
    refused.flags = LAMBED_OUTCOME_DISCARD;
    refused.payload = slice(problem);
    phase_ = Phase::kClosing;
    core_.opened(options_.user, &refused);
    return;
  }
  {
    IsolateScope scope(*node_);
    if (initialise(scope, problem)) take_work(scope);
    phase_ = Phase::kClosing;
    memory_->silence();
    stop_.detach();
    runner_->release();
    bridge_->release();
    bootstrap_->release();
  }
  // A worker's process ends now, and V8's clean-up would only take time.
  if (process_.is_worker()) {
    static_cast<void>(node_.release());
  } else {
    node_.reset();
  }
}

bool Environment::open_node(std::string& problem) {
  if (node_ == nullptr) {
    node_ = NodeInstance::make(process_, memory_, problem);
    if (node_ == nullptr) return false;
    bootstrap_ = std::make_unique<Bootstrap>(*node_);
  } else {
    const v8::Isolate::Scope isolate_scope(node_->isolate());
    memory_->give(node_->isolate(), options_.memory_limit, [this] { stop_.stop(); });
  }
  stop_.attach(node_->environment());
  node::SetProcessExitHandler(node_->environment(), [this](node::Environment*, int code) {
    if (process_.is_worker()) _exit(code);
    bridge_->answer.set_exited(code, 0);
    stop_.stop();
  });
  bridge_ = std::make_unique<Bridge>(core_, options_, *node_, stop_, process_.is_worker());
  runner_ = std::make_unique<Runner>(*node_, *bridge_, stop_);
  return true;
}

bool Environment::own_working_directory() const {
  // Working directory and umask belong to a thread, if it asks: the function gets its own, as its process
  // would have on Lambda. Some sandboxes forbid that.
  // In a worker it is the function's already.
  return (process_.is_worker() || unshare(CLONE_FS) == 0) && chdir(options_.task_root.c_str()) == 0;
}

bool Environment::initialise(IsolateScope& scope, std::string& problem) {
  const bool is_installed = (bootstrap_->is_loaded() || bootstrap_->load(scope, problem)) &&
                            bridge_->install(scope, *bootstrap_, own_working_directory(), problem);
  if (is_installed) {
    runner_->load(scope);
  } else if (!stop_.is_stopping() && bridge_->answer.kind == AnswerKind::kNone) {
    bridge_->answer.set(AnswerKind::kRefused, problem);
  }
  memory_->sample(scope.isolate());
  const bool was_interrupted = stop_.disarm();
  lambed_outcome opened{};
  if (bridge_->answer.kind == AnswerKind::kNone && !stop_.is_stopping()) {
    opened.size = sizeof opened;
    opened.kind = LAMBED_OUTCOME_SUCCESS;
    opened.memory_peak = memory_->peak();
  } else {
    opened = outcome(was_interrupted);
    opened.flags |= LAMBED_OUTCOME_DISCARD;
  }
  phase_ = Phase::kIdle;
  core_.opened(options_.user, &opened);
  return opened.kind == LAMBED_OUTCOME_SUCCESS;
}

void Environment::take_work(IsolateScope& scope) {
  lambed_invocation invocation{};
  while (!is_spent_) {
    invocation.size = sizeof invocation;
    switch (core_.take(options_.user, &invocation)) {
      case LAMBED_TAKE_INVOCATION:
        answer_invocation(scope, invocation);
        break;
      case LAMBED_TAKE_NOTHING:
        // Frozen until the next invocation, as on Lambda: timers and sockets wait. Nobody else wants this
        // isolate, so its lock is kept.
        node_->run_platform_tasks();
        core_.wait(options_.user);
        break;
      case LAMBED_TAKE_CLOSE:
        return;
    }
  }
  wait_for_close("this environment has ended");
}

void Environment::answer_invocation(IsolateScope& scope, const lambed_invocation& invocation) {
  token_ = invocation.token;
  phase_ = Phase::kInvocation;
  memory_->forget_refusals();
  stop_.arm(invocation.token);
  runner_->invoke(scope, invocation);
  const bool was_interrupted = stop_.disarm();
  if (is_sampled(++invocations_)) memory_->sample(scope.isolate());
  const lambed_outcome done = outcome(was_interrupted);
  is_spent_ = (done.flags & LAMBED_OUTCOME_DISCARD) != 0;
  phase_ = Phase::kIdle;
  core_.complete(options_.user, invocation.token, &done);
}

lambed_outcome Environment::outcome(bool was_interrupted) {
  const Answer& answer = bridge_->answer;
  lambed_outcome result{};
  result.size = sizeof result;
  result.memory_peak = memory_->peak();
  if (stop_.is_stopping() || answer.ends_environment) result.flags = LAMBED_OUTCOME_DISCARD;
  if (answer.kind == AnswerKind::kExited) {
    result.kind = LAMBED_OUTCOME_EXITED;
    result.exit_code = answer.exit_code;
    result.term_signal = answer.term_signal;
    return result;
  }
  // A refused buffer that the handler did not cope with: Lambda would have ended the process.
  const bool lacks_buffer = answer.kind == AnswerKind::kFailed && memory_->has_refused() &&
                            answer.error_type == "RangeError" &&
                            (answer.payload.find("Array buffer allocation failed") != std::string::npos ||
                             answer.payload.find("WebAssembly.Memory") != std::string::npos);
  if (memory_->was_exceeded() || lacks_buffer) {
    result.kind = LAMBED_OUTCOME_OUT_OF_MEMORY;
    result.flags = LAMBED_OUTCOME_DISCARD;
    return result;
  }
  switch (answer.kind) {
    case AnswerKind::kSucceeded:
      result.kind = LAMBED_OUTCOME_SUCCESS;
      result.payload = slice(runner_->result());
      break;
    case AnswerKind::kRefused:
      result.kind = LAMBED_OUTCOME_REFUSED;
      result.payload = slice(answer.payload);
      break;
    case AnswerKind::kFailed:
      result.kind = LAMBED_OUTCOME_FUNCTION_ERROR;
      result.payload = slice(answer.payload);
      result.error_type = slice(answer.error_type);
      break;
    case AnswerKind::kNone:
    case AnswerKind::kExited:
      // Stopped without an answer: by `interrupt`, or else by something that ended the environment from
      // within.
      result.kind = was_interrupted ? LAMBED_OUTCOME_INTERRUPTED : LAMBED_OUTCOME_EXITED;
      result.flags = LAMBED_OUTCOME_DISCARD;
      result.exit_code = was_interrupted ? 0 : 1;
      break;
  }
  return result;
}

void Environment::wait_for_close(const char* why) {
  lambed_invocation invocation{};
  for (;;) {
    invocation.size = sizeof invocation;
    switch (core_.take(options_.user, &invocation)) {
      case LAMBED_TAKE_CLOSE:
        return;
      case LAMBED_TAKE_NOTHING:
        core_.wait(options_.user);
        break;
      case LAMBED_TAKE_INVOCATION: {
        lambed_outcome refused{};
        refused.size = sizeof refused;
        refused.kind = LAMBED_OUTCOME_REFUSED;
        refused.flags = LAMBED_OUTCOME_DISCARD;
        refused.payload = slice(why);
        core_.complete(options_.user, invocation.token, &refused);
        break;
      }
    }
  }
}

void Environment::end_by_fatal_error(const char* what) {
  const bool lacks_memory =
      std::strstr(what, "memory") != nullptr || (process_.is_worker() && is_at_data_limit());
  // What V8 does about it is what the function's process does on Lambda.
  if (process_.is_worker() && !lacks_memory) abort();
  stop_.disarm();
  stop_.detach();
  memory_->silence();
  lambed_outcome end{};
  end.size = sizeof end;
  end.kind = lacks_memory ? LAMBED_OUTCOME_OUT_OF_MEMORY : LAMBED_OUTCOME_EXITED;
  end.term_signal = lacks_memory ? 0 : SIGABRT;
  end.flags = LAMBED_OUTCOME_DISCARD;
  end.memory_peak = memory_->peak();
  const std::string notice =
      "a Node.js environment of function " + options_.function_name + " met a fatal error of V8 (" + what +
      "); its thread and its memory stay until the process ends. Isolation \"process\" avoids that";
  core_.notice(options_.user, slice(notice));
  const Phase phase = phase_;
  if (phase == Phase::kInit) core_.opened(options_.user, &end);
  if (phase == Phase::kInvocation) core_.complete(options_.user, token_, &end);
  if (phase == Phase::kInvocation || phase == Phase::kIdle)
    wait_for_close("this environment ran out of memory");
  core_.closed(options_.user);
  if (process_.is_worker()) _exit(1);
  // Returning would end the process, and unwinding V8 is not possible. Counted in the census for ever.
  for (;;) pause();
}

}  // namespace lambed::node_host
