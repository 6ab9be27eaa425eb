#include "instance.h"

#include <dlfcn.h>

#include <type_traits>
#include <utility>

namespace lambed::node_host {
namespace {

thread_local std::function<void(const char*)>* fatal_handler = nullptr;

void handle_fatal(const char* location, const char* message) {
  if (fatal_handler != nullptr && *fatal_handler) {
    // Taken away first: a second fatal error during the handling must not come back here.
    const auto handler = std::exchange(*fatal_handler, nullptr);
    handler(message != nullptr && *message != '\0' ? message : location);
  }
  node::OnFatalError(location, message);  // a thread of V8: nobody to answer for, the process ends
}

// The callback's parameters differ between V8's versions.
template <typename... Parameters>
constexpr auto out_of_memory_callback(void (*)(const char*, Parameters...)) {
  return static_cast<void (*)(const char*, Parameters...)>([](const char* location, Parameters...) {
    handle_fatal((std::string("out of memory: ") + (location == nullptr ? "" : location)).c_str(), nullptr);
  });
}

// Older nodes forget an isolate just before it is freed; since node 24 that ends the process, and there is a call for both.
template <typename Platform>
void dispose(Platform* platform, v8::Isolate* isolate, bool is_registered) {
  if constexpr (requires { platform->DisposeIsolate(isolate); }) {
    if (is_registered) return platform->DisposeIsolate(isolate);
  } else {
    if (is_registered) platform->UnregisterIsolate(isolate);
  }
  isolate->Dispose();
}

v8::Platform::StackTracePrinter print_stack = nullptr;

// V8's failed checks ("Fatal JavaScript invalid size error") know no callback; but V8 prints a stack before it aborts.
void on_failed_check() {
  if (fatal_handler != nullptr && *fatal_handler) handle_fatal("a check of V8 failed", nullptr);
  if (print_stack != nullptr) print_stack();
}

}  // namespace

void catch_failed_checks(v8::Platform* platform) {
  // v8::base::SetPrintStackTrace is exported but in no public header; without it the process ends as V8 means it to.
  using Setter = void (*)(v8::Platform::StackTracePrinter);
  const auto set = reinterpret_cast<Setter>(dlsym(RTLD_DEFAULT, "_ZN2v84base18SetPrintStackTraceEPFvvE"));
  if (set == nullptr) return;
  print_stack = platform->GetStackTracePrinter();
  set(on_failed_check);
}

void set_fatal_handler_of_this_thread(std::function<void(const char*)> handler) {
  // Leaked with a thread that met a fatal error; freed otherwise.
  if (fatal_handler == nullptr) fatal_handler = new std::function<void(const char*)>;
  *fatal_handler = std::move(handler);
  if (!*fatal_handler) {
    delete fatal_handler;
    fatal_handler = nullptr;
  }
}

std::unique_ptr<NodeInstance> NodeInstance::make(NodeProcess& process, std::shared_ptr<MemoryLimit> limit,
                                                 std::string& problem) {
  std::unique_ptr<NodeInstance> instance(new NodeInstance(process.platform(), process.is_worker()));
  instance->limit_ = std::move(limit);
  if (!instance->build(problem)) instance.reset();
  return instance;
}

bool NodeInstance::build(std::string& problem) {
  if (const int error = uv_loop_init(&loop_); error != 0) {
    problem = std::string("cannot make an event loop: ") + uv_strerror(error);
    return false;
  }
  has_loop_ = true;
  allocator_ = std::make_shared<CountingAllocator>(limit_);
  isolate_ = v8::Isolate::Allocate();
  platform_->RegisterIsolate(isolate_, &loop_);
  is_registered_ = true;
  v8::Isolate::CreateParams parameters;
  parameters.array_buffer_allocator_shared = allocator_;
  limit_->constrain(parameters.constraints);
  v8::Isolate::Initialize(isolate_, parameters);

  const v8::Locker locker(isolate_);
  const v8::Isolate::Scope isolate_scope(isolate_);
  const v8::HandleScope handle_scope(isolate_);
  node::IsolateSettings settings;
  settings.fatal_error_callback = handle_fatal;
  node::SetIsolateUpForNode(isolate_, settings);
  isolate_->SetOOMErrorHandler(out_of_memory_callback(v8::OOMErrorCallback{}));
  isolate_data_ = node::CreateIsolateData(isolate_, &loop_, platform_);
  const v8::Local<v8::Context> context = node::NewContext(isolate_);
  if (context.IsEmpty()) {
    problem = "Node.js could not make a context";
    return false;
  }
  context_.Reset(isolate_, context);
  limit_->watch(isolate_);
  const v8::Context::Scope context_scope(context);
  namespace Flags = node::EnvironmentFlags;
  // Neither kOwnsProcessState nor kOwnsInspector where the process is the application's.
  const auto owned = owns_process_ ? Flags::kOwnsProcessState : Flags::kNoFlags;
  const auto flags = static_cast<Flags::Flags>(owned | Flags::kNoCreateInspector | Flags::kTrackUnmanagedFds |
                                               Flags::kNoGlobalSearchPaths);
  environment_ = node::CreateEnvironment(isolate_data_, context, {"node"}, {}, flags);
  if (environment_ == nullptr) {
    problem = "Node.js could not make an environment: its memory limit may be too low to start in";
    return false;
  }
  return true;
}

bool NodeInstance::load(const node::StartExecutionCallback& main) {
  return !node::LoadEnvironment(environment_, main).IsEmpty();
}

NodeInstance::~NodeInstance() {
  if (isolate_ != nullptr) {
    {
      const v8::Locker locker(isolate_);
      const v8::Isolate::Scope isolate_scope(isolate_);
      // After node::Stop the isolate refuses JavaScript, that of the clean-up too.
      isolate_->CancelTerminateExecution();
      if (environment_ != nullptr) {
        const v8::HandleScope handle_scope(isolate_);
        const v8::Context::Scope context_scope(context());
        node::FreeEnvironment(environment_);
      }
      context_.Reset();
      limit_->unwatch(isolate_);
      if (isolate_data_ != nullptr) node::FreeIsolateData(isolate_data_);
    }
    bool is_finished = !is_registered_;
    if (is_registered_) {
      platform_->AddIsolateFinishedCallback(
          isolate_, [](void* finished) { *static_cast<bool*>(finished) = true; }, &is_finished);
    }
    dispose(platform_, isolate_, is_registered_);
    while (!is_finished) uv_run(&loop_, UV_RUN_ONCE);
  }
  if (has_loop_) close_loop();
}

void NodeInstance::close_loop() {
  // Handles that an addon left open: an open handle aborts the process when its loop is freed.
  while (uv_loop_close(&loop_) == UV_EBUSY) {
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
          if (!uv_is_closing(handle)) uv_close(handle, nullptr);
        },
        nullptr);
    uv_run(&loop_, UV_RUN_NOWAIT);
  }
}

}  // namespace lambed::node_host
