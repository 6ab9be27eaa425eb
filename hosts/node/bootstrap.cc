#include "bootstrap.h"

#include <string_view>
#include <type_traits>

#include "scripts.h"
#include "text.h"

namespace lambed::node_host {
namespace {

using v8::Context;
using v8::Function;
using v8::Isolate;
using v8::Local;
using v8::MaybeLocal;
using v8::Object;
using v8::Value;

// V8 took the isolate here until node 22.
template <typename Name>
auto origin_of([[maybe_unused]] Isolate* isolate, Name name) {
  if constexpr (std::is_constructible_v<v8::ScriptOrigin, Isolate*, Name>) {
    return v8::ScriptOrigin(isolate, name);
  } else {
    return v8::ScriptOrigin(name);
  }
}

}  // namespace

std::string describe_failure(Isolate* isolate, const v8::TryCatch& failure) {
  if (failure.Exception().IsEmpty()) return "it was stopped";
  Local<Value> stack;
  const Local<Context> context = isolate->GetCurrentContext();
  if (failure.StackTrace(context).ToLocal(&stack)) return to_string(isolate, stack);
  return to_string(isolate, failure.Exception());
}

bool Bootstrap::load(IsolateScope& scope, std::string& problem) {
  Isolate* isolate = scope.isolate();
  const v8::HandleScope handles(isolate);
  const v8::TryCatch failure(isolate);
  bool is_complete = false;
  const bool has_loaded =
      instance_.load([&](const node::StartExecutionCallbackInfo& info) -> MaybeLocal<Value> {
        is_complete = compile(scope.context(), info);
        return v8::Undefined(isolate).As<Value>();
      });
  if (has_loaded && is_complete) return true;
  problem = "Node.js could not load the environment's bootstrap: " + describe_failure(isolate, failure);
  return false;
}

bool Bootstrap::compile(Local<Context> context, const node::StartExecutionCallbackInfo& info) {
  Isolate* isolate = instance_.isolate();
  const Local<Object> parts = Object::New(isolate);
  Local<Value> driver;
  for (const Script& script : scripts()) {
    const Local<v8::String> file = to_js_short(isolate, std::string("lambed:") + script.name);
    v8::ScriptOrigin origin = origin_of(isolate, file);
    Local<v8::Script> compiled;
    Local<Value> function;
    if (!v8::Script::Compile(context, to_js_short(isolate, script.source), &origin).ToLocal(&compiled) ||
        !compiled->Run(context).ToLocal(&function)) {
      return false;
    }
    if (std::string_view(script.name) == "driver") driver = function;
    const auto name = to_js_short(isolate, script.name).As<v8::Name>();
    if (parts->CreateDataProperty(context, name, function).IsNothing()) return false;
  }
  parts_.Reset(isolate, parts);
  driver_.Reset(isolate, driver.As<Function>());
  require_.Reset(isolate, info.native_require);
  process_.Reset(isolate, info.process_object);
  return true;
}

MaybeLocal<Value> Bootstrap::drive(Local<Context> context, Local<Object> native, Local<Object> settings) {
  Isolate* isolate = instance_.isolate();
  Local<Value> arguments[] = {parts_.Get(isolate), require_.Get(isolate), process_.Get(isolate), native,
                              settings};
  return driver_.Get(isolate)->Call(context, v8::Undefined(isolate), 5, arguments);
}

void Bootstrap::release() {
  parts_.Reset();
  driver_.Reset();
  require_.Reset();
  process_.Reset();
}

std::unique_ptr<PreparedNode> PreparedNode::make(NodeProcess& process, std::string& problem) {
  auto prepared = std::make_unique<PreparedNode>();
  prepared->memory = MemoryLimit::to_be_given();
  prepared->node = NodeInstance::make(process, prepared->memory, problem);
  if (prepared->node == nullptr) return nullptr;
  prepared->bootstrap = std::make_unique<Bootstrap>(*prepared->node);
  IsolateScope scope(*prepared->node);
  if (!prepared->bootstrap->load(scope, problem)) {
    static_cast<void>(prepared.release());  // the process is of no use, and ends
    return nullptr;
  }
  return prepared;
}

}  // namespace lambed::node_host
