// The process's one Ruby VM: its thread, the commands for it, and whether it can still be used.
//
// In a worker and its launcher the VM's thread is the process's first one, the environment is served on it, and there are no
// commands. Elsewhere the VM's thread (Ruby's main thread) starts environments and carries out interrupts; both reach it as commands, because
// whoever calls into the host must never wait for the VM's lock. Environments are Ruby threads of their own.
#pragma once

#include <lambed/host.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "environment.h"
#include "signals.h"

namespace lambed::ruby {

struct Command {
  enum Kind { kNothing = 0, kOpen = 1, kInterrupt = 2, kStop = 3 };
  Kind kind = kNothing;
  lambed_environment* environment = nullptr;  // kOpen
  std::uint64_t id = 0;                       // kInterrupt: lambed_environment::id
  std::uint64_t token = 0;
  InterruptMeans means = InterruptMeans::kNone;
};

class Vm {
 public:
  // Never destroyed: a thread that could not be stopped may use it while the process exits.
  static Vm& instance();

  // Blocks until the VM runs or has failed. Returns an empty string or a sentence with cause and remedy.
  // `is_warm`: a launcher's VM is up before it is forked, where Ruby allows that.
  std::string start(const lambed_core& core, lambed_context context, const std::string& interpreter,
                    bool is_warm);
  // Finalises the VM, waiting one second at most; does nothing while environments still run in it.
  void stop();

  lambed_environment* open(const lambed_environment_options& options);
  // In a worker: from `opened` to `closed`, on the calling thread. `environment` is set at once.
  void serve(const lambed_environment_options& options, lambed_environment** environment);
  bool is_worker() const { return context_ == LAMBED_CONTEXT_WORKER; }
  // Around a fork in a worker's launcher; see host.h. False: the VM cannot be copied.
  bool before_fork();
  void after_fork(bool is_child);
  lambed_interrupt interrupt(lambed_environment& environment, std::uint64_t token);
  void abandon(lambed_environment& environment);
  // The environment's thread has ended: tells the core and frees it.
  void closed(lambed_environment* environment);

  const lambed_core& core() const { return *core_; }
  const std::string& version() const { return version_; }
  const std::string& library() const { return library_; }
  ChildWatch& child_watch() { return child_watch_; }

  // Why new work is refused now; empty when it is not.
  std::string poison() const;
  bool is_poisoned() const { return stuck_environments_.load(std::memory_order_relaxed) > 0; }

  // For the VM's thread. `wait_command` blocks, `nudge` ends that wait, `take_command` never blocks.
  void wait_command();
  void nudge();
  Command take_command();

  // One more environment has an init or an invocation to run, or one less.
  void begin_work() { ++at_work_; }
  void end_work() { --at_work_; }

  std::atomic<std::uint64_t> memory{0};  // bytes of the whole VM, as last measured

 private:
  enum class State { kStopped, kStarting, kRunning, kFailed, kEnded };

  Vm() = default;
  std::string start_on_this_thread();
  static void* thread_main(void* vm);
  void run();
  std::string boot();
  int set_up();
  void set_state(State state);
  void push(const Command& command);
  void count_stuck(lambed_environment& environment);
  void refuse(lambed_environment* environment, lambed_outcome_kind kind, const std::string& message);
  void refuse_worker(lambed_environment* environment, const std::string& message);
  lambed_environment* withdraw(const lambed_environment& environment);

  const lambed_core* core_ = nullptr;
  lambed_context context_ = LAMBED_CONTEXT_PROGRAM;
  bool boots_in_worker_ = false;  // the launcher has no VM to copy, each worker makes its own
  std::string version_;
  std::string library_;
  std::string start_problem_;
  ChildWatch child_watch_;
  std::optional<SignalDispositions> ruby_signals_;  // in a launcher: what Ruby had made of the signals
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<int> environments_{0};
  std::atomic<int> at_work_{0};  // those that run something, or want to
  std::atomic<int> stuck_environments_{0};

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<Command> commands_;
  bool nudged_ = false;
  State state_ = State::kStopped;
  std::string stuck_function_;  // the latest that got stuck
};

}  // namespace lambed::ruby
