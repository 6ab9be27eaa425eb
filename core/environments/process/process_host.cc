#include "environments/process/process_host.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "environments/environment.h"
#include "environments/process/node_program.h"
#include "environments/process/process_environment.h"
#include "environments/process/worker_program.h"

namespace lambed::process {
namespace {

using environments::HostOptions;

// Valid between open and closed: the environment's thread holds it until then.
ProcessEnvironment& of(lambed_environment* handle) { return *reinterpret_cast<ProcessEnvironment*>(handle); }

const lambed_host_api& process_api() {
  static const lambed_host_api kApi = [] {
    lambed_host_api api{};
    api.size = sizeof api;
    api.abi = LAMBED_HOST_ABI;
    api.interrupt = [](lambed_environment* e, uint64_t) { return of(e).interrupt(); };
    api.abandon = [](lambed_environment*) {};
    api.usage = [](lambed_environment* e, lambed_usage* usage) { of(e).usage(*usage); };
    return api;
  }();
  return kApi;
}

// The interpreter of exactly that version where there is one on the path; empty: the host looks by itself.
std::string interpreter_of(std::string_view language, std::string_view version) {
  if (language != "python" || version.empty()) return {};
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const std::string candidate = std::string(rest.substr(0, colon)) + "/python" + std::string(version);
    if (candidate.front() == '/' && access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return {};
}

}  // namespace

// Among nodes that could not run workers.
constexpr const char* kLibnode = "libnode";

class ProcessHosts {
 public:
  static ProcessHosts& instance() {
    static auto* hosts = new ProcessHosts();  // never destroyed: threads of environments outlive main()
    return *hosts;
  }

  Result<environments::Host*> host_for(std::string_view runtime, HostOptions options, int worker_stock,
                                       bool strict) {
    const std::string language(environments::language_of_runtime(runtime));
    const std::string_view version = runtime.substr(language.size());
    if (options.count("interpreter") == 0) {
      if (std::string found =
              interpreter_of(language, version.substr(0, version.find_first_not_of("0123456789.")));
          !found.empty()) {
        options.emplace("interpreter", std::move(found));
      }
    }
    if (language == "nodejs" && options.count("interpreter") == 0)
      return host_of_node(runtime, options, worker_stock, strict);
    return ready_host(language, options, worker_stock, strict);
  }

 private:
  // The node of the runtime's version, else libnode, else any node there is.
  Result<environments::Host*> host_of_node(std::string_view runtime, const HostOptions& options,
                                           int worker_stock, bool strict) {
    const std::string major = node_major_of(runtime);
    std::string lack;
    if (const auto wanted = host_in(find_node(major), options, worker_stock, strict, lack)) return *wanted;
    const auto noted = [&](const Result<environments::Host*>& host) {
      const std::string version = host.ok() ? (*host)->interpreter_version() : std::string();
      if (host.ok() && !version.starts_with(major + "."))
        static_cast<ProcessHost*>(*host)->note("Functions of " + std::string(runtime) + " run in Node.js " +
                                               version + ": " + lack + ".");
      return host;
    };
    std::string problem = problem_of(kLibnode);
    if (problem.empty()) {
      const auto host = ready_host("nodejs", options, worker_stock, false);
      if (host.ok()) return noted(strict ? ready_host("nodejs", options, worker_stock, true) : host);
      problem = note_problem(kLibnode, host.error().message());
    }
    std::string nothing;
    if (const auto any = host_in(find_node({}), options, worker_stock, strict, nothing)) return noted(*any);
    return Error(ErrorCode::HostUnavailable, problem);
  }

  // Nothing: workers cannot run in that node, and `lack` says why.
  std::optional<Result<environments::Host*>> host_in(const Result<NodeProgram>& node, HostOptions options,
                                                     int worker_stock, bool strict, std::string& lack) {
    if (!node.ok()) {
      lack = node.error().message();
      return std::nullopt;
    }
    lack = problem_of(node->path);
    if (!lack.empty()) return std::nullopt;
    options.emplace("interpreter", node->path);
    // Whether it can run at all; that the sandbox is not strict would be no fault of this node.
    auto host = ready_host("nodejs", options, worker_stock, false);
    if (host.ok()) return strict ? ready_host("nodejs", options, worker_stock, true) : host;
    lack = note_problem(node->path, host.error().message());
    return std::nullopt;
  }

  Result<environments::Host*> ready_host(const std::string& language, const HostOptions& options,
                                         int worker_stock, bool strict) {
    ProcessHost* host = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (owner_ == 0) owner_ = getpid();
      if (owner_ != getpid()) {
        return Error(
            ErrorCode::HostUnavailable,
            "The launchers of this process were started before fork(), and their threads stayed with the "
            "parent. Start the child with spawn instead of fork, or fork before the first function runs.");
      }
      auto& place = hosts_[{language, options, worker_stock}];
      if (place == nullptr) place.reset(new ProcessHost(language, worker_stock));
      host = place.get();
    }
    if (const auto ready = host->be_ready(options, strict); !ready.ok()) return ready.error();
    return host;
  }

  // Of a node that was found, or libnode, that could not run workers: it is not tried again.
  std::string problem_of(const std::string& node) {
    const std::lock_guard lock(mutex_);
    const auto known = problems_.find(node);
    return known == problems_.end() ? std::string() : known->second;
  }
  std::string note_problem(const std::string& node, const std::string& problem) {
    const std::lock_guard lock(mutex_);
    return problems_.try_emplace(node, problem).first->second;
  }

  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::string> problems_;
  std::map<std::tuple<std::string, HostOptions, int>, std::unique_ptr<ProcessHost>> hosts_;
  pid_t owner_ = 0;
};

ProcessHost::ProcessHost(std::string language, int worker_stock)
    : Host(process_api(), std::move(language)), worker_stock_(worker_stock) {}

Result<void> ProcessHost::be_ready(const HostOptions& options, bool strict) {
  const std::lock_guard lock(mutex_);
  if (launcher_ == nullptr || !launcher_->is_alive()) {
    if (const auto started = start_launcher(options); !started.ok()) return started.error();
  }
  const channel::Ready& ready = launcher_->ready();
  if (!strict || ready.soft_limits.empty()) return {};
  std::string limits;
  for (const std::string& limit : ready.soft_limits) limits += (limits.empty() ? "" : ", ") + limit;
  return Error(
      ErrorCode::HostUnavailable,
      "The strict isolation that is required cannot be had here. The sandbox is \"" + ready.layer +
          "\", which does not enforce: " + limits +
          ". It takes root and the control groups memory, cpu and pids; `lambed doctor` tells what is "
          "missing.");
}

void ProcessHost::note(const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (!notes_.insert(message).second) return;
  std::vector<std::string> notices = take_notices();
  notices.push_back(message);
  set_description({}, {}, std::move(notices));
}

Result<void> ProcessHost::launch(Launcher::Options wanted, const HostOptions& options) {
  wanted.hello.options.assign(options.begin(), options.end());
  wanted.hello.worker_stock = static_cast<std::uint64_t>(std::max(0, worker_stock_));
  auto started = Launcher::start(wanted);
  if (!started.ok()) return started.error();
  launcher_ = std::move(*started);
  const channel::Ready& ready = launcher_->ready();
  set_description(ready.interpreter_version, ready.interpreter_path, ready.notices);
  return {};
}

Result<void> ProcessHost::start_launcher_in_node(const std::string& node, const HostOptions& options) {
  const auto found = node_at(node);
  if (!found.ok()) return found.error();
  Launcher::Options wanted;
  wanted.program = found->path;
  wanted.preloaded = found->library;
  wanted.hello.plugin_path = found->plugin;
  if (const auto started = launch(std::move(wanted), options); !started.ok())
    return Error(ErrorCode::HostUnavailable,
                 found->path + " cannot run workers: " + started.error().message());
  return {};
}

Result<void> ProcessHost::start_launcher(const HostOptions& options) {
  if (const auto named = options.find("interpreter"); language() == "nodejs" && named != options.end())
    return start_launcher_in_node(named->second, options);
  const auto program = find_worker_program();
  if (!program.ok()) return program.error();
  std::string problems;
  for (const std::string& plugin : environments::HostRegistry::instance().plugin_files(language())) {
    Launcher::Options wanted;
    wanted.program = *program;
    wanted.hello.plugin_path = plugin;
    const auto started = launch(std::move(wanted), options);
    if (started.ok()) return {};
    if (!problems.empty()) problems += " ";
    problems += started.error().message();
  }
  if (problems.empty()) {
    problems =
        "There is no plugin for " + std::string(language()) +
        " that a worker could load; `lambed doctor` lists what is there. Handlers that are part of the "
        "application run in_process only.";
  }
  return Error(ErrorCode::HostUnavailable, problems);
}

Result<void> ProcessHost::open(environments::Environment& environment,
                               const lambed_environment_options& options, lambed_environment** handle) {
  std::shared_ptr<Launcher> launcher;
  {
    const std::lock_guard lock(mutex_);
    launcher = launcher_;
  }
  const auto made =
      std::make_shared<ProcessEnvironment>(environment, std::move(launcher), options.init_deadline);
  *handle = reinterpret_cast<lambed_environment*>(made.get());
  return ProcessEnvironment::start(made);
}

Result<environments::Host*> process_host_for(std::string_view runtime, const HostOptions& options,
                                             int worker_stock, bool strict) {
  return ProcessHosts::instance().host_for(runtime, options, worker_stock, strict);
}

}  // namespace lambed::process
