// An execution environment: one thread, one node on it, one function's handler.
#ifndef LAMBED_HOSTS_NODE_ENVIRONMENT_H
#define LAMBED_HOSTS_NODE_ENVIRONMENT_H

#include <lambed/host.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <string>

#include "bridge.h"
#include "environment_options.h"
#include "memory.h"
#include "process.h"
#include "runner.h"
#include "stop_switch.h"

namespace lambed::node_host {

// Made by open, deletes itself after `closed`. interrupt, abandon and usage from any thread; the rest is its
// own thread's.
class Environment {
 public:
  // In a worker: serve_worker runs on the calling thread from `opened` to `closed`.
  static Environment* make_for_worker(NodeProcess& process, const lambed_environment_options& options);
  void serve_worker();
  // Starts the thread. Null and a message when there cannot be one.
  static Environment* open(NodeProcess& process, const lambed_environment_options& options,
                           std::string& problem);

  lambed_interrupt interrupt(uint64_t token) { return stop_.interrupt(token); }
  void usage(lambed_usage& usage) const;

  // Waits up to a second for the threads of closed environments to end. False, and at once, when there are
  // environments that were not closed: abandoned ones, or ones that ended by a fatal error.
  static bool wait_for_all();

 private:
  enum class Phase : uint8_t { kInit, kIdle, kInvocation, kClosing };

  Environment(NodeProcess& process, const lambed_environment_options& options);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  void adopt(PreparedNode prepared);
  void run();
  void serve();
  // Whether the environment may take work.
  bool open_node(std::string& problem);
  bool initialise(IsolateScope& scope, std::string& problem);
  void take_work(IsolateScope& scope);
  void answer_invocation(IsolateScope& scope, const lambed_invocation& invocation);
  // Waits for CLOSE; what is handed out meanwhile is refused.
  void wait_for_close(const char* why);
  lambed_outcome outcome(bool was_interrupted);
  bool own_working_directory() const;
  void prepare_process() const;
  // On V8's fatal errors in this thread: answers, and never returns, because V8 would end the process then.
  [[noreturn]] void end_by_fatal_error(const char* what);

  NodeProcess& process_;
  const lambed_core& core_;
  EnvironmentOptions options_;
  StopSwitch stop_;
  std::shared_ptr<MemoryLimit> memory_;
  std::unique_ptr<NodeInstance> node_;
  std::unique_ptr<Bootstrap> bootstrap_;
  std::unique_ptr<Bridge> bridge_;
  std::unique_ptr<Runner> runner_;
  Phase phase_ = Phase::kInit;
  uint64_t token_ = 0;
  uint64_t invocations_ = 0;
  bool is_spent_ = false;  // discarded: takes no more work
  std::atomic<clockid_t> cpu_clock_{0};
};

}  // namespace lambed::node_host
#endif
