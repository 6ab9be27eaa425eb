// An execution environment: one place where one version of a function runs, one invocation at a time.
//
// Threads: an environment is opened by the opener thread, run by a thread of its host, interrupted and abandoned by the core
// loop (or by whoever closes the gateway). What they share - state, token, pins - is guarded by the owner's mutex; the
// members say so. The host's `user` pointer is the Environment itself, which keeps itself alive until `closed`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/parker.h"
#include "environments/host_registry.h"
#include "lambed/host.h"
#include "model/egress.h"
#include "telemetry/stream.h"

namespace lambed::environments {

class Environment;

// Who decides what an environment does: the pool. Called on the environment's own thread.
class EnvironmentOwner {
 public:
  virtual ~EnvironmentOwner() = default;
  virtual void opened(Environment& environment, const lambed_outcome& outcome) = 0;
  virtual lambed_take take(Environment& environment, lambed_invocation& invocation) = 0;
  // Until take may have something else to say, or for `timeout` ns at most (false); kNever: no limit.
  virtual bool wait(Environment& environment, Nanos timeout) = 0;
  virtual void complete(Environment& environment, std::uint64_t token, const lambed_outcome& outcome) = 0;
  virtual void closed(Environment& environment) = 0;  // may be the last reference to `environment`
  // It has lost its process while it ran nothing: it takes no more work, and `take` says so next.
  virtual void lost(Environment& environment) = 0;
  // The same while it was to run `token`, which no handler has seen: that goes to another environment. False: it was answered
  // meanwhile, or the gateway closes; complete it.
  virtual bool give_back(Environment& environment, std::uint64_t token) = 0;
};

// Opening -> Finishing -> Idle -> Woken -> Busy -> Finishing -> ... and out by Interrupting, Abandoned, Closing to Closed.
enum class EnvironmentState : std::uint8_t {
  kOpening,       // init runs
  kFinishing,     // init or an invocation has ended; its thread is about to ask for work
  kIdle,          // its thread waits
  kWoken,         // called for work that is there, has not taken any yet
  kBusy,          // runs the invocation `token`
  kInterrupting,  // told to stop; must not be used again
  kAbandoned,     // could not be stopped; nobody waits for it
  kClosing,       // frees itself
  kClosed
};

// Everything the host is told when it opens an environment.
struct EnvironmentSpec {
  std::string function_name, function_version, function_id, code_id, runtime, handler, task_root;
  std::vector<std::string> layers;  // first the one that wins
  std::vector<std::pair<std::string, std::string>> variables;
  std::uint64_t memory_limit = 0;
  std::string log_group, log_stream;
  bool json_logs = false;
  // Of isolation `process` only.
  double cores = 0;
  std::uint64_t tmp_bytes = 0;
  std::uint64_t max_event = 0, max_answer = 0;  // bytes of the largest payloads that quotas allow
  Nanos freeze_after = 0;                       // 0: never
  bool host_loopback = false;                   // may reach this machine's
  // Of a function in a VPC: an address, what its groups let out, and where nobody answers.
  struct Network {
    std::string address;
    int prefix = 32;
    std::vector<EgressRule> egress;
    std::vector<Cidr> unreachable;
    std::shared_ptr<void> lease;  // of the address
  };
  std::optional<Network> network;
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  Environment(std::shared_ptr<EnvironmentOwner> owner, Host& host, EnvironmentSpec spec,
              std::shared_ptr<LogSink> sink);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  EnvironmentOwner& owner() { return *owner_; }
  Host& host() { return host_; }
  const EnvironmentSpec& spec() const { return spec_; }
  Parker& parker() { return parker_; }
  telemetry::LogStream& log() { return log_; }

  // Asks the host to open it; the answer is EnvironmentOwner::opened. On an error nothing was begun.
  Result<void> open(Nanos init_deadline);

  // Each calls the host; the caller holds a pin.
  lambed_interrupt interrupt(std::uint64_t running) { return host_.api().interrupt(handle_, running); }
  void abandon() { host_.api().abandon(handle_); }
  // Asks the host for the highest memory use so far and keeps it.
  void measure();

  void write_log(lambed_stream stream, std::string_view bytes, std::int64_t realtime_us);
  void write_notice(std::string_view text);

  // The only way to change the state; a move that the life above does not know ends the program (a bug of the core).
  void move_to(EnvironmentState next);
  EnvironmentState state() const { return state_; }
  bool is_ending() const {
    return state_ == EnvironmentState::kClosing || state_ == EnvironmentState::kAbandoned;
  }

  bool has_answered = false;  // an invocation; its own thread's
  bool wants_tail = false;    // the invocation that runs; its own thread's

  // ---- Guarded by the owner's mutex, as is state().
  std::uint64_t token = 0;     // of the invocation that runs
  void* invocation = nullptr;  // the owner's record of it
  int pins = 0;                // calls into the host under way; it must not be closed meanwhile
  Nanos interrupted_at = 0;
  Nanos waited_last = 0;  // when the host said last that it waits for others; 0: never
  Nanos opening_since = 0;
  Nanos idle_since = 0;
  Nanos init_duration = 0;
  std::uint64_t opened_after = 0;             // dispatches of its pool before it was open
  bool served = false;                        // an invocation has run here
  std::shared_ptr<void> init_turn;            // let go of when init has ended: the next one's turn
  bool handle_ready = false;                  // open() has returned: the host may be called about it
  std::atomic<std::uint64_t> memory_peak{0};  // bytes; read by whoever reports

 private:
  const std::shared_ptr<EnvironmentOwner> owner_;
  Host& host_;
  const EnvironmentSpec spec_;
  const std::shared_ptr<LogSink> sink_;
  lambed_environment* handle_ = nullptr;  // set by open(), before anyone else sees the environment as open
  Parker parker_;
  telemetry::LogStream log_;
  EnvironmentState state_ = EnvironmentState::kOpening;
};

}  // namespace lambed::environments
