// Node's floor: JSON.parse, the handler, JSON.stringify, called through V8 in a node of its own. A module, linked to
// libnode.
#include <dlfcn.h>
#include <node.h>
#include <uv.h>
#include <v8.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

#include "floor.h"

namespace bench {
namespace {

using v8::Local;
using v8::Value;

constexpr const char* kLanguage = "Node.js";

// The platform that the host has given to V8. V8 itself knows a function for it that no public header declares; the
// host's is node's own, like every platform that node::MultiIsolatePlatform::Create makes.
node::MultiIsolatePlatform* running_platform() {
  for (const char* name :
       {"_ZN2v88internal2V818GetCurrentPlatformEv", "_ZN2v85debug18GetCurrentPlatformEv"}) {
    const auto current = reinterpret_cast<v8::Platform* (*)()>(::dlsym(RTLD_DEFAULT, name));
    if (current != nullptr) return static_cast<node::MultiIsolatePlatform*>(current());
  }
  throw std::runtime_error("this libnode does not tell V8's platform: run with --floor-only");
}

node::MultiIsolatePlatform* start_node() {
  namespace Flags = node::ProcessInitializationFlags;
  const auto result = node::InitializeOncePerProcess(
      {"node"}, {Flags::kNoInitializeV8, Flags::kNoInitializeNodeV8Platform, Flags::kNoStdioInitialization,
                 Flags::kNoDefaultSignalHandling, Flags::kNoInitOpenSSL, Flags::kDisableNodeOptionsEnv});
  if (result->early_return() || result->exit_code() != 0)
    throw std::runtime_error("node cannot be initialised");
  const int threads = std::clamp<int>(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
  // Neither is ever freed: the process ends with them.
  auto* const platform = node::MultiIsolatePlatform::Create(threads).release();
  v8::V8::InitializePlatform(platform);
  v8::V8::Initialize();
  return platform;
}

class NodeLane final : public Lane {
 public:
  NodeLane(node::MultiIsolatePlatform* platform, const std::string& folder, const std::string& function) {
    namespace Flags = node::EnvironmentFlags;
    std::vector<std::string> errors;
    setup_ = node::CommonEnvironmentSetup::Create(
        platform, &errors, std::vector<std::string>{"node"}, std::vector<std::string>{},
        static_cast<Flags::Flags>(Flags::kNoCreateInspector | Flags::kTrackUnmanagedFds |
                                  Flags::kNoGlobalSearchPaths));
    if (setup_ == nullptr) fail(errors.empty() ? "no environment" : errors.front());
    isolate_ = setup_->isolate();
    hold([&] {
      const std::string source = "const at = '" + folder + "/app.js';\n" +
                                 "return require('module').createRequire(at)(at)." + function + ";";
      Local<Value> handler;
      if (!node::LoadEnvironment(setup_->env(), source.c_str()).ToLocal(&handler) || !handler->IsFunction()) {
        fail("the handler cannot be loaded");
      }
      handler_.Reset(isolate_, handler.As<v8::Function>());
    });
  }

  ~NodeLane() override {
    handler_.Reset();
    node::Stop(setup_->env());
    isolate_->CancelTerminateExecution();
  }

  void hold(const std::function<void()>& work) override {
    const v8::Locker locker(isolate_);
    const v8::Isolate::Scope isolate_scope(isolate_);
    const v8::HandleScope handles(isolate_);
    const v8::Context::Scope context_scope(setup_->context());
    work();
  }

  std::size_t call(std::string_view event) override {
    const v8::HandleScope handles(isolate_);
    const Local<v8::Context> context = isolate_->GetCurrentContext();
    auto text = v8::String::NewFromUtf8(isolate_, event.data(), v8::NewStringType::kNormal,
                                        static_cast<int>(event.size()));
    const Local<Value> undefined = v8::Undefined(isolate_);
    Local<Value> arguments[] = {undefined, undefined};
    Local<Value> result;
    if (!v8::JSON::Parse(context, text.ToLocalChecked()).ToLocal(&arguments[0]) ||
        !handler_.Get(isolate_)->Call(context, undefined, 2, arguments).ToLocal(&result)) {
      fail("a call failed");
    }
    if (result->IsPromise()) {
      const Local<v8::Promise> promise = result.As<v8::Promise>();
      if (promise->State() == v8::Promise::kPending) isolate_->PerformMicrotaskCheckpoint();
      if (promise->State() != v8::Promise::kFulfilled) fail("a promise was not fulfilled");
      result = promise->Result();
    }
    Local<v8::String> answer;
    if (!v8::JSON::Stringify(context, result).ToLocal(&answer)) fail("a result cannot be serialised");
    const auto size = static_cast<std::size_t>(answer->Utf8Length(isolate_));
    if (bytes_.size() < size) bytes_.resize(size);
    answer->WriteUtf8(isolate_, bytes_.data(), static_cast<int>(size), nullptr,
                      v8::String::NO_NULL_TERMINATION | v8::String::REPLACE_INVALID_UTF8);
    return size;
  }

 private:
  [[noreturn]] static void fail(const std::string& cause) { end_by_failure(kLanguage, cause); }

  std::unique_ptr<node::CommonEnvironmentSetup> setup_;
  v8::Isolate* isolate_ = nullptr;
  v8::Global<v8::Function> handler_;
  std::vector<char> bytes_;
};

class NodeFloor final : public Floor {
 public:
  explicit NodeFloor(bool start) : platform_(start ? start_node() : running_platform()) {}
  std::string version() const override { return std::string(NODE_VERSION).substr(1); }
  bool shares_one_lock() const override { return false; }
  std::unique_ptr<Lane> open_lane(const std::string& folder, const std::string& function) override {
    return std::make_unique<NodeLane>(platform_, folder, function);
  }

 private:
  node::MultiIsolatePlatform* platform_;
};

}  // namespace
}  // namespace bench

extern "C" __attribute__((visibility("default"))) bench::Floor* lambed_bench_floor(int start) {
  return new bench::NodeFloor(start != 0);
}
