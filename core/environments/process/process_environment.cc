#include "environments/process/process_environment.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/parker.h"
#include "environments/core_table.h"
#include "environments/process/spawn_message.h"

namespace lambed::process {
namespace {

// How often a running worker's log is looked at without being called for.
constexpr Nanos kLogPause = 100'000'000;
// How old a measurement of the memory may be: reading it costs a system call.
constexpr Nanos kMeasurePause = 10'000'000;
// Such a thread copies, waits and calls the pool; nothing deep.
constexpr std::size_t kStackBytes = std::size_t{256} * 1024;
constexpr std::size_t kOutputPiece = std::size_t{16} * 1024;

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(lambed_slice s) {
  return s.size == 0 ? std::string_view() : std::string_view(s.data, s.size);
}
Nanos monotonic() { return SystemClock().now(); }

const lambed_core& core() { return environments::core_table(); }

Result<std::array<Descriptor, 2>> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Error(ErrorCode::ServiceException,
                 std::string("No pipe for the output of a worker: ") + std::strerror(errno) +
                     ". Raise the limit of descriptors of this process, or close environments.");
  }
  std::array<Descriptor, 2> pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  // So that the worker, who may be another user, can open /dev/stdout. Nobody else sees its descriptors.
  fchmod(ends[1], S_IRUSR | S_IWUSR | S_IWGRP | S_IWOTH);
  return pipe;
}

}  // namespace

ProcessEnvironment::ProcessEnvironment(environments::Environment& environment,
                                       std::shared_ptr<Launcher> launcher, std::int64_t init_deadline)
    : environment_(environment), launcher_(std::move(launcher)), init_deadline_(init_deadline) {}

Result<void> ProcessEnvironment::start(const std::shared_ptr<ProcessEnvironment>& self) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // Signals are the application's, on its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto* held = new std::shared_ptr<ProcessEnvironment>(self);
  pthread_t thread{};
  const int error = pthread_create(
      &thread, &attributes,
      [](void* argument) -> void* {
        const std::unique_ptr<std::shared_ptr<ProcessEnvironment>> mine(
            static_cast<std::shared_ptr<ProcessEnvironment>*>(argument));
        (*mine)->run();
        return nullptr;
      },
      held);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error == 0) return {};
  delete held;
  return Error(ErrorCode::ServiceException, std::string("No thread for another environment: ") +
                                                std::strerror(error) +
                                                ". Close environments, or raise the limit of threads.");
}

void ProcessEnvironment::run() {
  if (spawn_worker()) {
    if (open()) serve();
    kill_worker();
    wait_for_end();
    take_log();
  } else {
    lambed_outcome outcome{};
    outcome.size = sizeof outcome;
    outcome.kind = LAMBED_OUTCOME_REFUSED;
    outcome.payload = slice(refusal_);
    core().opened(&environment_, &outcome);
  }
  let_go_of_user();
  core().closed(&environment_);
}

// From here on the launcher's thread leaves the environment alone.
void ProcessEnvironment::let_go_of_user() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  const std::lock_guard lock(output_mutex_);
  for (Descriptor& output : outputs_) output.reset();
}

bool ProcessEnvironment::spawn_worker() {
  const environments::EnvironmentSpec& spec = environment_.spec();
  auto memory = channel::SharedMemory::create(
      {.order = spec.max_event + channel::kTextBytes, .answer = spec.max_answer + channel::kTextBytes});
  if (!memory.ok()) return refusal_ = memory.error().message(), false;
  channel_ = std::make_unique<channel::ServerEnd>(std::move(*memory));
  std::vector<Descriptor> for_worker;
  for_worker.emplace_back(fcntl(channel_->memory().file(), F_DUPFD_CLOEXEC, 0));
  for (Descriptor& output : outputs_) {
    auto pipe = make_pipe();
    if (!pipe.ok()) return refusal_ = pipe.error().message(), false;
    output = std::move((*pipe)[0]);
    for_worker.push_back(std::move((*pipe)[1]));
  }
  channel::Spawn spawn = spawn_message(spec, init_deadline_);
  if (channel::encode(spawn).size() > channel::kLongestPacket) {
    refusal_ =
        "The configuration of this function is too large to be handed to a worker. Shorten its handler, "
        "variables or paths.";
    return false;
  }
  const std::uint64_t id = launcher_->spawn(std::move(spawn), shared_from_this(), std::move(for_worker),
                                            outputs_[0].get(), outputs_[1].get());
  if (id == 0) {
    refusal_ = "The launcher of this language has ended; the next call starts another one.";
    return false;
  }
  worker_.store(id, std::memory_order_seq_cst);
  // Interrupted before there was anything to kill.
  if (is_interrupted_.load(std::memory_order_seq_cst)) launcher_->act(id, channel::Deed::kKill);
  return true;
}

bool ProcessEnvironment::open() {
  channel::Answer answer;
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  if (wait_for_answer(answer, channel::AnswerKind::kOpened, 0) == Wait::kAnswer) {
    outcome.kind = answer.outcome;
    outcome.flags = answer.flags;
    outcome.exit_code = answer.exit_code;
    outcome.term_signal = answer.term_signal;
    outcome.payload = slice(answer.payload);
    outcome.error_type = slice(answer.error_type);
  } else {
    outcome = outcome_of_end();
  }
  outcome.memory_peak = std::max(answer.memory_peak, memory_peak());
  catch_up_with_outputs();
  const bool is_open =
      outcome.kind == LAMBED_OUTCOME_SUCCESS && (outcome.flags & LAMBED_OUTCOME_DISCARD) == 0;
  core().opened(&environment_, &outcome);
  return is_open;
}

void ProcessEnvironment::serve() {
  for (;;) {
    // One that died while it idled is replaced by another one before anybody is given to it.
    if (has_ended()) environment_.owner().lost(environment_);
    lambed_invocation invocation{};
    invocation.size = sizeof invocation;
    switch (core().take(&environment_, &invocation)) {
      case LAMBED_TAKE_INVOCATION:
        invoke(invocation);
        break;
      case LAMBED_TAKE_NOTHING:
        rest();
        break;
      case LAMBED_TAKE_CLOSE:
        return;
    }
  }
}

void ProcessEnvironment::rest() {
  const Nanos freeze_after = environment_.spec().freeze_after;
  if (is_frozen_ || freeze_after <= 0 || has_ended()) {
    static_cast<void>(environment_.owner().wait(environment_, kNever));
  } else if (!environment_.owner().wait(environment_, freeze_after)) {
    freeze();
  }
}

void ProcessEnvironment::freeze() {
  take_log();
  is_frozen_ = true;
  launcher_->act(worker_.load(), channel::Deed::kFreeze);
  // Nothing that lies in the areas is of use any more: the last answer was taken, the next order is written anew. A worker that
  // still looks there, frozen or not, reads zeros.
  channel_->memory().give_back_areas();
}

void ProcessEnvironment::invoke(const lambed_invocation& invocation) {
  channel::Order order;
  order.token = invocation.token;
  order.deadline = invocation.deadline;
  order.deadline_epoch_ms = invocation.deadline_epoch_ms;
  order.texts[channel::kRequestId] = view(invocation.request_id);
  order.texts[channel::kInvokedArn] = view(invocation.invoked_function_arn);
  order.texts[channel::kFunctionVersion] = view(invocation.function_version);
  order.texts[channel::kClientContext] = view(invocation.client_context);
  order.texts[channel::kCognitoIdentity] = view(invocation.cognito_identity);
  order.texts[channel::kTraceId] = view(invocation.trace_id);
  order.texts[channel::kTenantId] = view(invocation.tenant_id);
  order.event = view(invocation.event);

  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  channel::Answer answer;
  if (!std::exchange(has_quota_, true)) launcher_->act(worker_.load(), channel::Deed::kBeginQuota);
  if (!channel_->post(order)) {
    outcome.kind = LAMBED_OUTCOME_REFUSED;
    outcome.payload = slice("The event and its context are larger than this gateway's quotas allow for.");
    core().complete(&environment_, invocation.token, &outcome);
    return;
  }
  if (std::exchange(is_frozen_, false)) launcher_->act(worker_.load(), channel::Deed::kThaw);
  if (wait_for_answer(answer, channel::AnswerKind::kCompleted, invocation.token) == Wait::kAnswer) {
    outcome.kind = answer.outcome;
    outcome.flags = answer.flags;
    outcome.exit_code = answer.exit_code;
    outcome.term_signal = answer.term_signal;
    outcome.payload = slice(answer.payload);
    outcome.error_type = slice(answer.error_type);
  } else {
    // Its process was gone before it could begin: the call is as good as new, and goes to another environment.
    if (!is_broken_ && !is_interrupted_.load() && !channel_->order_was_begun() &&
        environment_.owner().give_back(environment_, invocation.token)) {
      return;
    }
    outcome = outcome_of_end();
  }
  outcome.memory_peak = std::max(answer.memory_peak, memory_peak());
  if (has_output_.load(std::memory_order_acquire) || environment_.wants_tail) catch_up_with_outputs();
  core().complete(&environment_, invocation.token, &outcome);
}

ProcessEnvironment::Wait ProcessEnvironment::wait_for_answer(channel::Answer& answer,
                                                             channel::AnswerKind kind, std::uint64_t token) {
  Nanos spin = Parker::kSpin;
  for (;;) {
    // In this order: what a worker has answered before it died counts.
    const bool over = has_ended();
    const std::uint32_t bell = channel_->bell();
    const channel::News news = is_broken_ ? channel::News::kNothing : channel_->look(answer);
    take_log();
    if (news == channel::News::kAnswer) {
      if (answer.kind == kind && answer.token == token) return Wait::kAnswer;
      break_off();
    } else if (news == channel::News::kBroken) {
      break_off();
    } else if (over) {
      return Wait::kEnded;
    } else {
      channel_->wait(bell, kLogPause, spin);
      spin = 0;
    }
  }
}

void ProcessEnvironment::take_log() {
  if (is_broken_) return;
  const bool ok = channel_->take_log([this](std::uint32_t stream, std::string_view bytes, std::int64_t at) {
    if (stream == channel::kNoticeStream) {
      environment_.write_notice(bytes);
    } else {
      environment_.write_log(static_cast<lambed_stream>(stream), bytes, at);
    }
  });
  if (!ok) break_off();
}

void ProcessEnvironment::break_off() {
  is_broken_ = true;
  environment_.write_notice(
      "lambed: the worker of this environment wrote over the memory that it shares with the server, and was "
      "killed");
  kill_worker();
}

void ProcessEnvironment::catch_up_with_outputs() {
  for (const int which : {0, 1}) output_ready(which);
}

bool ProcessEnvironment::output_ready(int which) {
  const std::lock_guard lock(output_mutex_);
  if (!outputs_[which].is_open()) return false;
  std::array<char, kOutputPiece> piece;
  // As much as a pipe holds, and no more: others have output too.
  for (int i = 0; i < 4; ++i) {
    const ssize_t got = read(outputs_[which].get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return true;
    if (got == 0) return false;
    has_output_.store(true, std::memory_order_release);
    environment_.write_log(which == 0 ? LAMBED_STREAM_STDOUT : LAMBED_STREAM_STDERR,
                           {piece.data(), static_cast<std::size_t>(got)}, 0);
    if (static_cast<std::size_t>(got) < piece.size()) return true;
  }
  return true;
}

void ProcessEnvironment::started(pid_t /*worker*/, Descriptor memory_file) {
  const std::lock_guard lock(mutex_);
  memory_file_ = std::move(memory_file);
}

void ProcessEnvironment::ended(const channel::Ended& how) {
  const std::lock_guard lock(mutex_);
  end_ = how;
  has_ended_.store(true, std::memory_order_release);
  if (is_over_) return;
  // It waits for its worker or for work.
  channel_->wake();
  core().nudge(&environment_);
}

lambed_interrupt ProcessEnvironment::interrupt() {
  is_interrupted_.store(true, std::memory_order_seq_cst);
  kill_worker();
  // SIGKILL is on its way, and nothing of the worker's can hold it up: who is late is the kernel, or this machine.
  return LAMBED_INTERRUPT_WAITING;
}

void ProcessEnvironment::kill_worker() {
  if (const std::uint64_t id = worker_.load(std::memory_order_seq_cst); id != 0 && !has_ended())
    launcher_->act(id, channel::Deed::kKill);
}

void ProcessEnvironment::wait_for_end() {
  while (!has_ended()) {
    const std::uint32_t bell = channel_->bell();
    take_log();
    if (!has_ended()) channel_->wait(bell, kLogPause, 0);
  }
}

lambed_outcome ProcessEnvironment::outcome_of_end() {
  const std::lock_guard lock(mutex_);
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.exit_code = end_.exit_code;
  outcome.term_signal = end_.signal;
  outcome.memory_peak = end_.memory_peak;
  if (end_.memory_peak > memory_peak_) memory_peak_ = end_.memory_peak;
  if (!end_.problem.empty()) {
    refusal_ = end_.problem;
    outcome.kind = LAMBED_OUTCOME_REFUSED;
    outcome.payload = slice(refusal_);
  } else if (is_interrupted_.load()) {
    outcome.kind = LAMBED_OUTCOME_INTERRUPTED;
  } else if (end_.out_of_memory) {
    outcome.kind = LAMBED_OUTCOME_OUT_OF_MEMORY;
  } else {
    outcome.kind = LAMBED_OUTCOME_EXITED;
    if (is_broken_) outcome.term_signal = SIGKILL;
  }
  return outcome;
}

// The highest use of the whole tree, as old as kMeasurePause at most.
std::uint64_t ProcessEnvironment::memory_peak() {
  const Nanos now = monotonic();
  if (now - measured_at_ >= kMeasurePause) {
    lambed_usage usage{};
    this->usage(usage);
    if (usage.memory_peak > 0) measured_at_ = now;  // else what to read from is still under way
  }
  return memory_peak_.load(std::memory_order_relaxed);
}

void ProcessEnvironment::usage(lambed_usage& usage) {
  std::array<char, 32> text{};
  {
    const std::lock_guard lock(mutex_);
    if (memory_file_.is_open() && pread(memory_file_.get(), text.data(), text.size() - 1, 0) <= 0)
      text[0] = '\0';
  }
  const std::uint64_t peak = std::strtoull(text.data(), nullptr, 10);
  std::uint64_t known = memory_peak_.load(std::memory_order_relaxed);
  while (known < peak && !memory_peak_.compare_exchange_weak(known, peak)) {
  }
  usage.memory_peak = std::max(known, peak);
}

}  // namespace lambed::process
