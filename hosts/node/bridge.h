// The border between the bootstrap's JavaScript and the host: native functions that it calls, functions that
// it returns.
#ifndef LAMBED_HOSTS_NODE_BRIDGE_H
#define LAMBED_HOSTS_NODE_BRIDGE_H

#include <lambed/host.h>

#include <string>

#include "answer.h"
#include "bootstrap.h"
#include "environment_options.h"
#include "instance.h"
#include "stop_switch.h"
#include "text.h"

namespace lambed::node_host {

class Bridge {
 public:
  Bridge(const lambed_core& core, const EnvironmentOptions& options, NodeInstance& instance, StopSwitch& stop,
         bool is_worker)
      : core_(core), options_(options), instance_(instance), stop_(stop), is_worker_(is_worker) {}

  // Runs the bootstrap, which is loaded; the functions below are there afterwards. `problem` says why not.
  bool install(IsolateScope& scope, Bootstrap& bootstrap, bool owns_working_directory, std::string& problem);
  // Frees the handles; before the isolate goes.
  void release();

  [[nodiscard]] v8::Local<v8::Function> invoke() const { return get(invoke_); }
  [[nodiscard]] v8::Local<v8::Function> load() const { return get(load_); }
  [[nodiscard]] v8::Local<v8::Function> adopt() const { return get(adopt_); }
  [[nodiscard]] v8::Local<v8::Function> wake() const { return get(wake_); }
  [[nodiscard]] v8::Local<v8::Function> clear_trace() const { return get(clear_trace_); }

  // Logs an error of the handler in Lambda's words and makes it the answer.
  void fail(IsolateScope& scope, v8::Local<v8::Value> error, bool is_init);
  void fail_unserialisable(IsolateScope& scope);
  // An async handler whose event loop ran empty.
  void fail_ended(IsolateScope& scope);

  // What has been decided so far about what runs now.
  Answer answer;

 private:
  using Arguments = v8::FunctionCallbackInfo<v8::Value>;
  static Bridge& of(const Arguments& arguments);
  static void log(const Arguments& arguments);
  static void succeed(const Arguments& arguments);
  static void native_fail(const Arguments& arguments);
  static void fatal(const Arguments& arguments);
  static void refuse(const Arguments& arguments);
  static void killed(const Arguments& arguments);
  static void memory_refused(const Arguments& arguments);
  static void wake_up(const Arguments& arguments);
  static void cwd(const Arguments& arguments);
  static void chdir(const Arguments& arguments);
  static void umask(const Arguments& arguments);
  static void process_group(const Arguments& arguments);

  v8::Local<v8::Object> native_functions(v8::Local<v8::Context> context);
  v8::Local<v8::Object> settings(v8::Local<v8::Context> context, bool owns_working_directory);
  bool take_functions(v8::Local<v8::Context> context, v8::Local<v8::Value> driver);
  bool has_right_version(IsolateScope& scope, v8::Local<v8::Function> versions, std::string& problem);
  // [document, type] of the bootstrap becomes the answer.
  void answer_with(IsolateScope& scope, v8::Local<v8::Function> report, int count,
                   v8::Local<v8::Value>* arguments);
  v8::Local<v8::Function> get(const v8::Global<v8::Function>& function) const {
    return function.Get(instance_.isolate());
  }
  // Makes the event loop return, so that the host looks at the answer.
  void stop_loop() { uv_stop(instance_.loop()); }

  const lambed_core& core_;
  const EnvironmentOptions& options_;
  NodeInstance& instance_;
  StopSwitch& stop_;
  const bool is_worker_;  // the process is the function's own
  TextBuffer log_buffer_;
  v8::Global<v8::Function> invoke_, load_, adopt_, wake_, failed_, unserialisable_, ended_, clear_trace_,
      versions_;
};

}  // namespace lambed::node_host
#endif
