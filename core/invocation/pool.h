// EnvironmentPool: the environments of one version of a function, and the invocations that wait for one of them.
//
// Work is bound to an environment when the environment takes it, not before. `dispatch` queues an invocation and calls at
// most one idle environment; an environment that takes work while more is waiting calls the next one first. One that has
// just finished therefore goes on without a thread switch, and environments that share an interpreter lock do not fight for
// it in vain, while a handler that blocks holds up nobody: the next environment has been called already.
//
// Threads: dispatch by callers; opened, take, complete, closed by environments' threads; open_one by the opener; the rest by
// the core loop or by whoever closes the gateway. `mutex_` guards the pool and the guarded members of its environments; it is
// held for nanoseconds, never while anything outside of the pool is called.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "catalog/function_version.h"
#include "environments/environment.h"
#include "invocation/invocation.h"
#include "invocation/services.h"

namespace lambed::invocation {

struct PoolStatus {
  int opening = 0, idle = 0, busy = 0, interrupting = 0, abandoned = 0, pending = 0;
  bool init_fails = false;  // the last environment that was to be opened could not be
};

class EnvironmentPool final : public environments::EnvironmentOwner,
                              public std::enable_shared_from_this<EnvironmentPool> {
 public:
  EnvironmentPool(std::shared_ptr<Services> services, std::shared_ptr<const catalog::FunctionVersion> version,
                  std::shared_ptr<FunctionState> function);
  ~EnvironmentPool() override;

  const std::shared_ptr<FunctionState>& function() const { return function_; }

  // Takes over a claimed-by-nobody invocation; false when the gateway is closing. Arms its deadline.
  bool dispatch(Invocation& invocation);

  // The invocation `token` was answered over the head of whoever has it: takes it out of the queue, or marks the environment
  // that runs it as to be interrupted and returns that one, pinned, for interrupt_pinned.
  std::shared_ptr<environments::Environment> withdraw(Invocation& invocation, std::uint64_t token, Nanos now);
  void interrupt_pinned(const std::shared_ptr<environments::Environment>& environment, std::uint64_t token);

  // The version is not current any more: no environment idles here again, the idle ones close now. False when it was said
  // before.
  bool retire();
  // So many environments are kept open whether or not there is work.
  void keep_warm(int environments);
  // Closes environments that have idled too long, opens missing warm ones. Returns when to come back.
  Nanos sweep(Nanos now);
  // When its longest idle environment became idle; kNever without one. And: closes that one.
  Nanos longest_idle() const;
  void close_longest_idle();

  // For a gateway that closes: idle environments close, init is interrupted. Invocations were withdrawn before.
  void shut_down(Nanos now);
  // Tells those that were interrupted once more, or gives them up.
  void press_on(bool give_up);

  bool is_over() const;  // retired, no environment, nothing waits
  PoolStatus status() const;

  // Of the environments' threads.
  void opened(environments::Environment& environment, const lambed_outcome& outcome) override;
  lambed_take take(environments::Environment& environment, lambed_invocation& invocation) override;
  bool wait(environments::Environment& environment, Nanos timeout) override;
  void complete(environments::Environment& environment, std::uint64_t token,
                const lambed_outcome& outcome) override;
  void closed(environments::Environment& environment) override;
  void lost(environments::Environment& environment) override;
  bool give_back(environments::Environment& environment, std::uint64_t token) override;

 private:
  using Environment = environments::Environment;
  using Shared = std::shared_ptr<environments::Environment>;

  // ---- With mutex_ held.
  std::size_t available() const {
    return idle_.size() + static_cast<std::size_t>(woken_ + finishing_ + opening_);
  }
  std::size_t usable() const { return available() + static_cast<std::size_t>(busy_); }
  // Environments that are there or coming, so that what waits need not be given up when no further one may be opened.
  bool is_full() const { return limit_ != 0 && usable() >= limit_; }
  void push_pending(Invocation& invocation);
  void push_pending_first(Invocation& invocation);
  void remove_pending(Invocation& invocation);
  Shared call_idle_one();
  bool want_replacement();
  void set_keep_warm(int environments);
  bool has_lived_its_time(const Environment& environment, Nanos now) const;
  // Whether a further environment that was asked for should be opened, now that it is its turn.
  bool is_still_wanted() const;
  // Invocations wait for an environment that has just ended, and no other is there or was asked for on their behalf.
  bool must_reopen() const { return pending_ > 0 && usable() == 0; }
  void start_interrupting(Environment& environment, Nanos now);
  bool has_had_its_grace(const Environment& environment, Nanos now) const;
  void leave_idle(Environment& environment);
  // Those that have answered and are not in line yet; when the next of them is due.
  Nanos expire_finishing(Nanos now, Nanos expiry);
  Shared shared(Environment& environment) const;

  // ---- Without it.
  void request_open(int count);
  void open_one();
  void open_in_turn(environments::Host& host, std::shared_ptr<void> turn);
  void open_failed(const Error& error);
  Result<environments::Host*> find_host() const;
  Result<Shared> make_environment(environments::Host& host);
  void watch_init(const Shared& environment, Nanos deadline);
  void init_timed_out(const Shared& environment);
  void press(const Shared& environment, std::uint64_t token);
  void escalate_later(const Shared& environment, std::uint64_t token);
  void unpin(const Shared& environment);
  void abandon(const Shared& environment);

  const std::shared_ptr<Services> services_;
  const std::shared_ptr<const catalog::FunctionVersion> version_;
  const std::shared_ptr<FunctionState> function_;

  mutable std::mutex mutex_;  // guards what follows
  Invocation* first_pending_ = nullptr;
  Invocation* last_pending_ = nullptr;
  std::size_t pending_ = 0;
  std::uint64_t dispatched_ = 0;      // invocations so far
  std::vector<Shared> environments_;  // all that are not closed
  std::vector<Environment*> idle_;    // by the end of their work, the newest last
  int opening_ = 0;                   // asked for or under way
  int woken_ = 0;
  int finishing_ = 0;
  int busy_ = 0;
  int keep_warm_ = 0;      // only set_keep_warm changes it
  std::size_t limit_ = 0;  // the host's, known from the first environment on; 0: none
  Nanos warm_again_ = 0;   // no warm environment is opened before: its init failed
  Nanos warm_pause_ = 0;   // 0 unless the last init failed
  bool retired_ = false;
};

}  // namespace lambed::invocation
