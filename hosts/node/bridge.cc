#include "bridge.h"

#include <unistd.h>

#include <string_view>
#include <vector>

namespace lambed::node_host {
namespace {

using v8::Context;
using v8::Function;
using v8::FunctionCallback;
using v8::Isolate;
using v8::Local;
using v8::Object;
using v8::Value;

void set(Local<Context> context, Local<Object> object, std::string_view name, Local<Value> value) {
  object->CreateDataProperty(context, to_js_short(context->GetIsolate(), name).As<v8::Name>(), value).Check();
}

}  // namespace

bool Bridge::install(IsolateScope& scope, Bootstrap& bootstrap, bool owns_working_directory,
                     std::string& problem) {
  Isolate* isolate = scope.isolate();
  const v8::HandleScope handles(isolate);
  const Local<Context> context = scope.context();
  Local<Value> driver;
  bool is_complete = false;
  {
    // What the bootstrap puts off runs when it closes.
    const node::CallbackScope callback_scope(isolate, Object::New(isolate), node::async_context{0, 0});
    const v8::TryCatch failure(isolate);
    is_complete =
        bootstrap.drive(context, native_functions(context), settings(context, owns_working_directory))
            .ToLocal(&driver) &&
        take_functions(context, driver);
    if (!is_complete)
      problem = "Node.js could not run the environment's bootstrap: " + describe_failure(isolate, failure);
  }
  return is_complete && has_right_version(scope, get(versions_), problem);
}

bool Bridge::take_functions(Local<Context> context, Local<Value> driver) {
  Isolate* isolate = context->GetIsolate();
  const std::pair<const char*, v8::Global<Function>*> functions[] = {
      {"invoke", &invoke_},          {"load", &load_},        {"adopt", &adopt_},
      {"failed", &failed_},          {"ended", &ended_},      {"unserialisable", &unserialisable_},
      {"clearTrace", &clear_trace_}, {"versions", &versions_}};
  for (const auto& [name, kept] : functions) {
    Local<Value> function;
    if (!driver.As<Object>()->Get(context, to_js_short(isolate, name)).ToLocal(&function) ||
        !function->IsFunction()) {
      return false;
    }
    kept->Reset(isolate, function.As<Function>());
  }
  Local<Function> wake;
  if (!Function::New(context, wake_up, v8::External::New(isolate, this)).ToLocal(&wake)) return false;
  wake_.Reset(isolate, wake);
  return true;
}

bool Bridge::has_right_version(IsolateScope& scope, Local<Function> versions, std::string& problem) {
  Isolate* isolate = scope.isolate();
  Local<Value> result;
  Local<Value> abi;
  if (!versions->Call(scope.context(), v8::Undefined(isolate), 0, nullptr).ToLocal(&result) ||
      !result.As<Object>()->Get(scope.context(), 1).ToLocal(&abi)) {
    problem = "Node.js could not tell its version";
    return false;
  }
  const std::string running = to_string(isolate, abi);
  if (running == std::to_string(NODE_MODULE_VERSION)) return true;
  problem = "this Node.js host is built for ABI " + std::to_string(NODE_MODULE_VERSION) +
            " (Node.js " NODE_VERSION "), but the Node.js that runs has ABI " + running +
            ": use the plugin liblambed_host_nodejs-" + running + ".so";
  return false;
}

void Bridge::release() {
  for (v8::Global<Function>* function :
       {&invoke_, &load_, &adopt_, &wake_, &failed_, &unserialisable_, &ended_, &clear_trace_, &versions_}) {
    function->Reset();
  }
}

Local<Object> Bridge::settings(Local<Context> context, bool owns_working_directory) {
  Isolate* isolate = context->GetIsolate();
  const Local<Object> result = Object::New(isolate);
  const auto text = [&](std::string_view name, std::string_view value) {
    set(context, result, name, to_js_short(isolate, value));
  };
  text("functionName", options_.function_name);
  text("runtime", options_.runtime);
  text("handler", options_.handler);
  text("taskRoot", options_.task_root);
  text("logGroupName", options_.log_group);
  text("logStreamName", options_.log_stream);
  const uint64_t limit = options_.memory_limit;
  text("memoryLimitInMB", std::to_string(limit >> 20));
  // Without a limit: what WebAssembly may have at most.
  set(context, result, "memoryLimit",
      v8::Number::New(isolate, static_cast<double>(limit == 0 ? uint64_t{4} << 30 : limit)));
  set(context, result, "jsonLogs", v8::Boolean::New(isolate, options_.has_json_logs));
#ifdef LAMBED_NODE_UNLINKED
  if (is_worker_) text("executable", NodeProcess::library_path());  // the process is a node
#endif
  set(context, result, "isWorker", v8::Boolean::New(isolate, is_worker_));
  set(context, result, "ownsWorkingDirectory", v8::Boolean::New(isolate, owns_working_directory));
  std::vector<Local<Value>> layers;
  for (const std::string& layer : options_.layers) layers.push_back(to_js_short(isolate, layer));
  set(context, result, "layers", v8::Array::New(isolate, layers.data(), layers.size()));
  const Local<Object> variables = Object::New(isolate);
  for (const auto& [name, value] : options_.variables)
    set(context, variables, name, to_js_short(isolate, value));
  set(context, result, "variables", variables);
  return result;
}

void Bridge::answer_with(IsolateScope& scope, Local<Function> report, int count, Local<Value>* arguments) {
  Isolate* isolate = scope.isolate();
  const v8::HandleScope handles(isolate);
  const v8::TryCatch failure(isolate);
  Local<Value> result;
  Local<Value> document;
  Local<Value> type;
  if (!report->Call(scope.context(), v8::Undefined(isolate), count, arguments).ToLocal(&result) ||
      !result.As<Object>()->Get(scope.context(), 0).ToLocal(&document) ||
      !result.As<Object>()->Get(scope.context(), 1).ToLocal(&type)) {
    // Only when the environment has been stopped, or its heap is full.
    answer.set(AnswerKind::kFailed,
               R"({"errorType":"Error","errorMessage":"the error could not be described","trace":[]})",
               "Error");
    return;
  }
  answer.set(AnswerKind::kFailed, to_string(isolate, document), to_string(isolate, type));
}

void Bridge::fail(IsolateScope& scope, Local<Value> error, bool is_init) {
  Local<Value> arguments[] = {error, v8::Boolean::New(scope.isolate(), is_init)};
  answer_with(scope, get(failed_), 2, arguments);
}

void Bridge::fail_unserialisable(IsolateScope& scope) {
  answer_with(scope, get(unserialisable_), 0, nullptr);
}

void Bridge::fail_ended(IsolateScope& scope) { answer_with(scope, get(ended_), 0, nullptr); }

}  // namespace lambed::node_host
