// The engine: takes invocations for the functions of a catalogue and answers each one exactly once.
//
// Threads: every method from any thread. close() waits, except on the core loop's thread. An engine that is let go of
// unclosed closes itself.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/directory.h"
#include "invocation/event_queue.h"
#include "invocation/pool.h"
#include "invocation/services.h"
#include "lambed/gateway.h"

namespace lambed::invocation {

// Environments of one version that can serve, and whether the last one that was to be opened could not be.
struct EnvironmentsOf {
  int usable = 0;
  bool init_fails = false;
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // `directory` must outlive the engine's close().
  static std::shared_ptr<Engine> start(const GatewayOptions& options, catalog::Directory& directory);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // `go_on` may be empty.
  Result<InvokeResult> invoke(InvokeRequest request, const std::function<bool()>& go_on);
  void invoke(InvokeRequest request, std::function<void(InvokeResult)> done, CallbackThread thread);
  std::future<InvokeResult> invoke_future(InvokeRequest request);

  // Where invocations of type Event go; before the first one, once. The queue outlives the engine's close().
  void set_event_queue(std::shared_ptr<EventQueue> queue);
  // One attempt of an invocation that the event queue has accepted: resolved now, admitted and run like any other, its payload not
  // checked again. An error is the call's: nothing was taken and `done` is not called. Otherwise `done` runs exactly once, on the
  // thread that has the answer.
  Result<void> attempt(InvokeRequest request, std::function<void(InvokeResult)> done);

  const catalog::Directory& directory() const { return directory_; }
  const std::shared_ptr<CoreLoop>& loop() const { return services_->loop; }
  const std::shared_ptr<Clock>& clock() const { return services_->clock; }
  const std::shared_ptr<LogSink>& log_sink() const { return services_->sink; }

  FunctionUsage usage(const std::string& function_id) const;
  GatewayStatus status() const;
  // Environments of that version that are ready or at work.
  EnvironmentsOf environments_of(const catalog::FunctionVersion& version) const;

  void close();
  // This process was forked from the one that made the engine: its threads are not here.
  bool is_of_parent() const;

 private:
  using Snapshot = std::shared_ptr<const catalog::FunctionSnapshot>;
  using Version = std::shared_ptr<const catalog::FunctionVersion>;

  Engine(const GatewayOptions& options, catalog::Directory& directory);

  // Checks and admits; the invocation it returns is admitted and must be dispatched.
  Result<Invocation*> admit(InvokeRequest request, Delivery delivery);
  // The same without the checks.
  Result<Invocation*> admit_checked(InvokeRequest request, Delivery delivery);
  // Checks an invocation of type Event and hands it to the queue; `done` on any thread.
  void enqueue(InvokeRequest request, std::function<void(InvokeResult)> done);
  void give_up(Invocation& invocation);
  Result<Version> resolve(const InvokeRequest& request, std::string& invoked_arn) const;
  Result<void> check(const InvokeRequest& request) const;
  void dispatch(Invocation& invocation);
  std::optional<InvokeResult> dry_run(const InvokeRequest& request) const;

  std::shared_ptr<EnvironmentPool> pool_for(const Version& version);
  std::shared_ptr<FunctionState> state_of(const std::string& function_id);
  std::vector<std::shared_ptr<EnvironmentPool>> pools() const;
  bool is_current(const catalog::FunctionVersion& version) const;
  void catalogue_changed(const Snapshot& before, const Snapshot& now);
  void make_room();
  void retire(EnvironmentPool& pool);
  void forget_retired_pools();  // on the core loop

  Nanos scan(Nanos now);  // on the core loop
  void expire(Invocation& invocation, std::uint64_t token, Nanos now);
  void begin_close();
  void finish_close();

  const std::shared_ptr<Services> services_;
  catalog::Directory& directory_;
  const unsigned fork_generation_;
  Nanos next_sweep_ = 0;               // of the core loop
  Nanos next_trim_ = 0;                // of the core loop
  std::atomic<int> retired_pools_{0};  // in shards_

  struct Shard {
    mutable std::mutex mutex;  // guards pools
    std::unordered_map<std::uint64_t, std::shared_ptr<EnvironmentPool>> pools;
  };
  std::array<Shard, 16> shards_;
  std::shared_ptr<EventQueue> events_;

  mutable std::mutex states_mutex_;  // guards states_
  std::unordered_map<std::string, std::shared_ptr<FunctionState>> states_;

  std::mutex close_mutex_;  // one closes, the others wait for it
  bool closed_ = false;
  std::uint64_t exit_hook_ = 0;
};

}  // namespace lambed::invocation
