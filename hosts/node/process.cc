#include "process.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "bootstrap.h"
#include "instance.h"
#include "thread_pool.h"

namespace lambed::node_host {
namespace {

constexpr int kSignals = 64;

// Every disposition, to be put back.
class SavedSignals {
 public:
  SavedSignals() {
    for (int number = 1; number <= kSignals; ++number)
      is_known_[number] = sigaction(number, nullptr, &actions_[number]) == 0;
  }
  void restore() const {
    for (int number = 1; number <= kSignals; ++number) {
      if (!is_known_[number] || number == SIGKILL || number == SIGSTOP) continue;
      struct sigaction now {};
      if (sigaction(number, nullptr, &now) != 0) continue;
      // sa_sigaction and sa_handler share their storage.
      if (now.sa_sigaction != actions_[number].sa_sigaction || now.sa_flags != actions_[number].sa_flags) {
        sigaction(number, &actions_[number], nullptr);
      }
    }
  }

 private:
  std::array<struct sigaction, kSignals + 1> actions_{};
  std::array<bool, kSignals + 1> is_known_{};
};

std::string wrong_version() {
  const std::string built = std::to_string(V8_MAJOR_VERSION) + "." + std::to_string(V8_MINOR_VERSION) + ".";
  const std::string running = v8::V8::GetVersion();
  if (running.compare(0, built.size(), built) == 0) return {};
  return "this Node.js host is built for Node.js " NODE_VERSION " (ABI " +
         std::to_string(NODE_MODULE_VERSION) + ", V8 " + built + "x), but " + NodeProcess::library_path() +
         " has V8 " + running + ": use the plugin liblambed_host_nodejs-<abi>.so of that Node.js";
}

}  // namespace

SignalShield::SignalShield() {
  sigset_t all;
  sigfillset(&all);
  // Raised by the thread's own doing; blocked, they would end the process without a handler's chance.
  for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
    sigdelset(&all, number);
  pthread_sigmask(SIG_BLOCK, &all, &before_);
}

SignalShield::~SignalShield() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

NodeProcess& NodeProcess::instance() {
  static auto& process = *new NodeProcess;
  return process;
}

const std::string& NodeProcess::library_path() {
  static const auto& path = *[] {
    Dl_info info{};
    const auto address = reinterpret_cast<void*>(&node::FreeEnvironment);
    const std::string_view found =
        dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
    if (found.find('/') != std::string_view::npos) return new std::string(found);
    // Of an executable the dynamic linker only knows the word it was started by.
    char file[PATH_MAX];
    const ssize_t size = readlink("/proc/self/exe", file, sizeof file);
    return new std::string(size > 0 ? std::string_view(file, static_cast<size_t>(size)) : found);
  }();
  return path;
}

std::string NodeProcess::start(lambed_context context, const lambed_core* core) {
  if (is_started_) return {};
  if (has_ended_)
    return "Node.js has been stopped in this process and V8 cannot be started twice: start a new process";
  if (std::string problem = wrong_version(); !problem.empty()) return problem;
  core_ = core;
  context_ = context;
  const SavedSignals signals;
  std::string problem = context == LAMBED_CONTEXT_NODE ? attach_to_running() : start_own();
  if (problem.empty()) catch_failed_checks(platform_);
  // Whose it will be need not be known yet; what takes longest of a start is done then.
  if (problem.empty() && is_worker()) prepared_ = PreparedNode::make(*this, problem);
  signals.restore();
  is_started_ = problem.empty();
  return problem;
}

std::string NodeProcess::start_own() {
#ifndef LAMBED_NODE_UNLINKED  // an executable's are global
  // N-API addons look for napi_* in the global scope; without this, requiring one ends the process.
  if (dlopen(library_path().c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    return "cannot make the symbols of " + library_path() + " global: " + (reason == nullptr ? "" : reason);
  }
#endif
  namespace Flags = node::ProcessInitializationFlags;
  initialization_ = node::InitializeOncePerProcess(
      {"node"}, {Flags::kNoInitializeV8, Flags::kNoInitializeNodeV8Platform, Flags::kNoStdioInitialization,
                 Flags::kNoDefaultSignalHandling, Flags::kNoAdjustResourceLimits, Flags::kNoUseLargePages,
                 Flags::kNoPrintHelpOrVersionOutput, Flags::kDisableNodeOptionsEnv,
                 Flags::kNoParseGlobalDebugVariables, Flags::kNoInitOpenSSL});
  if (initialization_->early_return() || initialization_->exit_code() != 0) {
    std::string message = "Node.js could not be initialised";
    for (const std::string& error : initialization_->errors()) message += ": " + error;
    return message;
  }
  // V8's own threads collect garbage and compile for all environments.
  const int threads = std::clamp<int>(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
  const SignalShield shield;
  owned_platform_ = node::MultiIsolatePlatform::Create(threads);
  platform_ = owned_platform_.get();
  v8::V8::InitializePlatform(platform_);
  v8::V8::Initialize();
  if (!is_worker()) block_sigpipe_on_thread_pool();
  return {};
}

std::string NodeProcess::attach_to_running() {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  if (isolate == nullptr || !isolate->InContext()) {
    return "the Node.js host must be started on a JavaScript thread of the node that it is loaded into";
  }
  const v8::HandleScope scope(isolate);
  node::Environment* running = node::GetCurrentEnvironment(isolate->GetCurrentContext());
  platform_ = running == nullptr ? nullptr : node::GetMultiIsolatePlatform(running);
  return platform_ == nullptr ? "the running node has no platform to attach to" : "";
}

PreparedNode NodeProcess::take_prepared() {
  const std::unique_ptr<PreparedNode> prepared = std::move(prepared_);
  return std::move(*prepared);
}

void NodeProcess::stop() {
  if (!is_started_) return;
  is_started_ = false;
  has_ended_ = true;
  if (owned_platform_ == nullptr) return;
  v8::V8::Dispose();
  v8::V8::DisposePlatform();
  owned_platform_.reset();
  node::TearDownOncePerProcess();
}

}  // namespace lambed::node_host
