// Node in this process: started once, or found running, depending on the context.
#ifndef LAMBED_HOSTS_NODE_PROCESS_H
#define LAMBED_HOSTS_NODE_PROCESS_H

#include <lambed/host.h>

#include <memory>
#include <string>

#include "node_headers.h"

namespace lambed::node_host {

struct PreparedNode;

// Never destroyed: plugins have no static objects whose destructors block.
class NodeProcess {
 public:
  static NodeProcess& instance();

  // Empty on success, else a sentence with the cause and the remedy. Leaves all signal dispositions as they
  // were.
  std::string start(lambed_context context, const lambed_core* core);
  // Ends V8 and its threads, where they are ours. No environment may exist.
  void stop();

  // A worker's, once: its one environment.
  PreparedNode take_prepared();

  [[nodiscard]] bool is_started() const { return is_started_; }
  [[nodiscard]] const lambed_core& core() const { return *core_; }
  [[nodiscard]] node::MultiIsolatePlatform* platform() const { return platform_; }
  [[nodiscard]] lambed_context context() const { return context_; }
  // The process is the function's own: one environment, on the thread that opens it.
  [[nodiscard]] bool is_worker() const { return context_ == LAMBED_CONTEXT_WORKER; }
  // Where node's code is: libnode or the executable.
  static const std::string& library_path();

 private:
  std::string start_own();
  std::string attach_to_running();

  const lambed_core* core_ = nullptr;
  lambed_context context_ = LAMBED_CONTEXT_PROGRAM;
  node::MultiIsolatePlatform* platform_ = nullptr;  // ours, or the running node's
  std::unique_ptr<node::MultiIsolatePlatform> owned_platform_;
  std::shared_ptr<node::InitializationResult> initialization_;  // node < 20.8 hands out a unique_ptr
  std::unique_ptr<PreparedNode> prepared_;  // a worker's, from `start` until it opens its environment
  bool is_started_ = false;
  bool has_ended_ = false;
};

// Blocks signals on the calling thread while it lives, so that threads made meanwhile start with them
// blocked: the application's signals are for the application's threads, and SIGPIPE must not end it.
class SignalShield {
 public:
  SignalShield();
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;

 private:
  sigset_t before_;
};

}  // namespace lambed::node_host
#endif
