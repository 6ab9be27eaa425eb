// Runs init and invocations in one node: calls JavaScript, turns the event loop, gathers the answer.
#ifndef LAMBED_HOSTS_NODE_RUNNER_H
#define LAMBED_HOSTS_NODE_RUNNER_H

#include <lambed/host.h>

#include <string>

#include "bridge.h"
#include "instance.h"
#include "stop_switch.h"

namespace lambed::node_host {

class Runner {
 public:
  Runner(NodeInstance& instance, Bridge& bridge, StopSwitch& stop)
      : instance_(instance), bridge_(bridge), stop_(stop) {}

  // Loads the handler; the bridge's answer is kNone when it may take invocations.
  void load(IsolateScope& scope);
  // The bridge's answer is set afterwards, or kNone when the handler was stopped before it had one. `result`
  // is valid until the next call; it is the payload of a success.
  void invoke(IsolateScope& scope, const lambed_invocation& invocation);
  [[nodiscard]] std::string_view result() const { return result_; }
  void release();

 private:
  // Empty when there is nothing to wait for: the handler threw or was stopped.
  v8::Local<v8::Value> call_handler(IsolateScope& scope, const lambed_invocation& invocation);
  void await(IsolateScope& scope, v8::Local<v8::Promise> promise);
  void await_callback(IsolateScope& scope);
  void take_settled(IsolateScope& scope, v8::Local<v8::Promise> promise);
  // Turns the event loop until `is_done` says so, the loop is empty for good, or the environment is stopped.
  template <typename Predicate>
  void spin(IsolateScope& scope, Predicate is_done);

  // A string that is often the same from call to call.
  struct CachedText {
    std::string bytes;
    v8::Global<v8::Value> text;
  };
  v8::Local<v8::Value> cached(v8::Isolate* isolate, lambed_slice text, CachedText& cache);
  v8::Local<v8::Value> optional(v8::Isolate* isolate, lambed_slice text);

  NodeInstance& instance_;
  Bridge& bridge_;
  StopSwitch& stop_;
  TextBuffer buffer_;
  std::string_view result_;
  CachedText arn_;
  CachedText version_;
  bool had_trace_ = false;
  bool has_turned_ = false;  // the event loop, during this invocation
};

}  // namespace lambed::node_host
#endif
