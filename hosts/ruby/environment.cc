#include "environment.h"

namespace {

// How long a means has until the next, stronger one. A raise needs the VM's lock, which busy handlers pass on every 100 ms.
constexpr std::int64_t kRaiseGraceNs = 100'000'000;
// Who is told to stop needs the VM's lock to obey, and so does the thread that tells. Both wait for all others that run, on a busy
// machine for long. So what counts is how long the environment itself has run since, with the lock or in a call into C.
constexpr std::uint64_t kMostProcessorNs = 1'500'000'000;
constexpr std::uint64_t kHardlyRunNs = 1'000'000'000;
// Who waits for something in an `ensure` uses no processor.
constexpr std::int64_t kLongestPatienceNs = 10'000'000'000;
// A kill is repeated, because Ruby may leave it lying: of two interrupts that wait for a thread (the raise and the kill, when
// the VM's lock was not to be had before) it delivers one, and looks at the other only when a further one comes. To a thread
// that is being killed already a kill does nothing.
constexpr std::int64_t kKillIntervalNs = 25'000'000;

std::string text_of(lambed_slice slice) {
  return slice.size == 0 ? std::string() : std::string(slice.data, slice.size);
}

}  // namespace

using lambed::ruby::InterruptMeans;

lambed_environment::lambed_environment(std::uint64_t id_, const lambed_environment_options& options)
    : id(id_),
      user(options.user),
      function_name(text_of(options.function_name)),
      function_version(text_of(options.function_version)),
      code_id(text_of(options.code_id)),
      handler(text_of(options.handler)),
      task_root(text_of(options.task_root)),
      log_group(text_of(options.log_group)),
      log_stream(text_of(options.log_stream)),
      memory_limit(options.memory_limit),
      json_logs(options.json_logs != 0) {
  layers.reserve(options.layer_count);
  for (size_t i = 0; i < options.layer_count; ++i) layers.push_back(text_of(options.layers[i]));
  variables.reserve(options.variable_count);
  for (size_t i = 0; i < options.variable_count; ++i) {
    variables.emplace_back(text_of(options.variables[i].name), text_of(options.variables[i].value));
  }
}

InterruptMeans lambed_environment::next_means(std::uint64_t token, std::int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  if (interrupted_token_ != token) {
    interrupted_token_ = token;
    interrupted_at_ns_ = now_ns;
    cpu_at_interrupt_ns_ = cpu_ns();
    killed_at_ns_ = now_ns;
    return InterruptMeans::kRaise;
  }
  const std::int64_t elapsed = now_ns - interrupted_at_ns_;
  if (elapsed >= kLongestPatienceNs || ran_since_interrupt() >= kMostProcessorNs)
    return InterruptMeans::kGiveUp;
  if (elapsed < kRaiseGraceNs || now_ns - killed_at_ns_ < kKillIntervalNs) return InterruptMeans::kNone;
  killed_at_ns_ = now_ns;
  return InterruptMeans::kKill;
}

std::uint64_t lambed_environment::ran_since_interrupt() const {
  const std::uint64_t now = cpu_ns();
  return now > cpu_at_interrupt_ns_ ? now - cpu_at_interrupt_ns_ : 0;
}

bool lambed_environment::has_hardly_run() const {
  const std::lock_guard lock(mutex_);
  return ran_since_interrupt() < kHardlyRunNs;
}

void lambed_environment::adopt_calling_thread() {
  clockid_t clock = CLOCK_REALTIME;
  if (pthread_getcpuclockid(pthread_self(), &clock) == 0) cpu_clock_ = clock;
}

std::uint64_t lambed_environment::cpu_ns() const {
  const clockid_t clock = cpu_clock_;
  timespec time{};
  if (clock == CLOCK_REALTIME || clock_gettime(clock, &time) != 0)
    return 0;  // fails once the thread has ended
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}
