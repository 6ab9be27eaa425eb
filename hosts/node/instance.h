// One node: event loop, isolate, context and node::Environment, made and freed on the thread that uses them.
#ifndef LAMBED_HOSTS_NODE_INSTANCE_H
#define LAMBED_HOSTS_NODE_INSTANCE_H

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "memory.h"
#include "node_headers.h"
#include "process.h"

namespace lambed::node_host {

// Who has one holds the isolate: it lives on the environment's thread, inside Locker, Isolate and Context
// scopes.
class IsolateScope;

class NodeInstance {
 public:
  // `problem` says what went wrong when the result is empty.
  static std::unique_ptr<NodeInstance> make(NodeProcess& process, std::shared_ptr<MemoryLimit> limit,
                                            std::string& problem);
  ~NodeInstance();
  NodeInstance(const NodeInstance&) = delete;
  NodeInstance& operator=(const NodeInstance&) = delete;

  [[nodiscard]] v8::Isolate* isolate() const { return isolate_; }
  [[nodiscard]] uv_loop_t* loop() { return &loop_; }
  [[nodiscard]] MemoryLimit& memory() const { return *limit_; }
  [[nodiscard]] node::Environment* environment() const { return environment_; }
  [[nodiscard]] v8::Local<v8::Context> context() const { return context_.Get(isolate_); }

  // node's own main script, in place of a file: runs `main` when node has set itself up. Needs the scopes of
  // IsolateScope.
  bool load(const node::StartExecutionCallback& main);
  // Lets V8 do what it has put off for this isolate. Runs no timers.
  void run_platform_tasks() { platform_->FlushForegroundTasks(isolate_); }
  // Waits for V8's background work on behalf of this isolate (WebAssembly compilation) and what it posted.
  void drain_platform_tasks() { platform_->DrainTasks(isolate_); }

 private:
  NodeInstance(node::MultiIsolatePlatform* platform, bool owns_process)
      : platform_(platform), owns_process_(owns_process) {}
  bool build(std::string& problem);
  void close_loop();

  node::MultiIsolatePlatform* platform_;
  const bool owns_process_;
  std::shared_ptr<MemoryLimit> limit_;
  std::shared_ptr<CountingAllocator> allocator_;
  uv_loop_t loop_{};
  v8::Isolate* isolate_ = nullptr;
  node::IsolateData* isolate_data_ = nullptr;
  node::Environment* environment_ = nullptr;
  v8::Global<v8::Context> context_;
  bool is_registered_ = false;
  bool has_loop_ = false;
};

class IsolateScope {
 public:
  explicit IsolateScope(NodeInstance& instance)
      : locker_(instance.isolate()),
        isolate_scope_(instance.isolate()),
        handle_scope_(instance.isolate()),
        context_(instance.context()),
        context_scope_(context_),
        isolate_(instance.isolate()) {}
  [[nodiscard]] v8::Isolate* isolate() const { return isolate_; }
  [[nodiscard]] v8::Local<v8::Context> context() const { return context_; }

 private:
  v8::Locker locker_;
  v8::Isolate::Scope isolate_scope_;
  v8::HandleScope handle_scope_;
  v8::Local<v8::Context> context_;
  v8::Context::Scope context_scope_;
  v8::Isolate* isolate_;
};

// What to do on this thread when V8 cannot go on in the isolate that runs on it. Must not return: V8 would end the process.
void set_fatal_handler_of_this_thread(std::function<void(const char* what)> handler);

// Extends that to V8's own failed checks; once per process.
void catch_failed_checks(v8::Platform* platform);

}  // namespace lambed::node_host
#endif
