// What of an environment does not depend on its function: node's own start in an instance, and the bootstrap's JavaScript
// compiled in it. A worker that waits has done all of it.
//
// Threads: that of the instance.
#ifndef LAMBED_HOSTS_NODE_BOOTSTRAP_H
#define LAMBED_HOSTS_NODE_BOOTSTRAP_H

#include <memory>
#include <string>

#include "instance.h"
#include "memory.h"
#include "node_headers.h"

namespace lambed::node_host {

class Bootstrap {
 public:
  explicit Bootstrap(NodeInstance& instance) : instance_(instance) {}

  // `problem` says why not; it stays empty when the environment was stopped meanwhile.
  bool load(IsolateScope& scope, std::string& problem);
  [[nodiscard]] bool is_loaded() const { return !driver_.IsEmpty(); }
  // js/driver.js with the others, for one function.
  v8::MaybeLocal<v8::Value> drive(v8::Local<v8::Context> context, v8::Local<v8::Object> native,
                                  v8::Local<v8::Object> settings);
  // Frees the handles; before the isolate goes.
  void release();

 private:
  bool compile(v8::Local<v8::Context> context, const node::StartExecutionCallbackInfo& info);

  NodeInstance& instance_;
  v8::Global<v8::Object> parts_;
  v8::Global<v8::Function> driver_;
  v8::Global<v8::Value> require_, process_;
};

// What was caught, in words.
std::string describe_failure(v8::Isolate* isolate, const v8::TryCatch& failure);

// A node that has started and waits for its function. The heap has no limit yet that a function would notice.
struct PreparedNode {
  std::shared_ptr<MemoryLimit> memory;
  std::unique_ptr<NodeInstance> node;
  std::unique_ptr<Bootstrap> bootstrap;

  // Null and a sentence when it cannot be had.
  static std::unique_ptr<PreparedNode> make(NodeProcess& process, std::string& problem);
};

}  // namespace lambed::node_host
#endif
