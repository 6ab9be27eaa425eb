// One execution environment whose handler runs in a worker process, from its opening to its end. It stands between the pool and
// the worker as a host's environment does: takes work, passes it on through shared memory, brings the answer back.
//
// Threads: its own runs run(), and owns the channel's end and everything without a comment. interrupt() and usage() come from any
// thread between open and closed, started() and ended() from the launcher's, output_ready() from either. Its thread, the launcher
// (until the worker's end) and the host's handle hold it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "environments/channel/server_end.h"
#include "environments/environment.h"
#include "environments/process/launcher.h"
#include "lambed/host.h"

namespace lambed::process {

class ProcessEnvironment final : public Resident, public std::enable_shared_from_this<ProcessEnvironment> {
 public:
  ProcessEnvironment(environments::Environment& environment, std::shared_ptr<Launcher> launcher,
                     std::int64_t init_deadline);

  // Begins to run on a thread of its own; the answer is `opened`. Errors: nothing was begun.
  static Result<void> start(const std::shared_ptr<ProcessEnvironment>& self);

  // Ends the worker, whatever it does. Never blocks.
  lambed_interrupt interrupt();
  void usage(lambed_usage& usage);

  // ---- Resident.
  void started(pid_t worker, Descriptor memory_file) override;
  bool output_ready(int which) override;
  void ended(const channel::Ended& how) override;

 private:
  enum class Wait { kAnswer, kEnded };

  void run();
  bool spawn_worker();
  bool open();
  void serve();
  void invoke(const lambed_invocation& invocation);
  // Until the worker has answered or is gone. What it wrote to its log is passed on meanwhile.
  Wait wait_for_answer(channel::Answer& answer, channel::AnswerKind kind, std::uint64_t token);
  void rest();
  void freeze();
  void kill_worker();
  void wait_for_end();
  // A worker that does not keep to the protocol is killed, and said to have been.
  void break_off();
  void take_log();
  void catch_up_with_outputs();
  lambed_outcome outcome_of_end();
  std::uint64_t memory_peak();
  bool has_ended() const { return has_ended_.load(std::memory_order_acquire); }
  void let_go_of_user();

  environments::Environment& environment_;  // lives until `closed`
  const std::shared_ptr<Launcher> launcher_;
  const std::int64_t init_deadline_;
  std::unique_ptr<channel::ServerEnd>
      channel_;  // made before the worker, so before the launcher's thread looks
  bool is_frozen_ = false;
  bool has_quota_ = false;
  bool is_broken_ = false;
  Nanos measured_at_ = 0;
  std::string refusal_;

  std::atomic<std::uint64_t> worker_{0};  // the launcher's number for it; 0: not asked for
  std::atomic<bool> is_interrupted_{false};
  std::atomic<bool> has_ended_{false};
  std::atomic<std::uint64_t> memory_peak_{0};

  std::mutex output_mutex_;  // guards what follows; one reads at a time, so that lines stay in order
  Descriptor outputs_[2];
  std::atomic<bool> has_output_{false};

  std::mutex mutex_;      // guards what follows
  bool is_over_ = false;  // `closed` is about to be called: the environment must not be touched any more
  channel::Ended end_;
  Descriptor memory_file_;
};

}  // namespace lambed::process
