// Language hosts of this process: found, loaded and started, each at most once.
//
// The registry is the only global object of lambed: interpreters are one per process, whoever uses them. It is made on first
// use and never destroyed; at exit it closes the gateways that still live and stops the hosts, before the interpreters'
// libraries run their own exit code.
// Threads: every method from any thread. Starting a host blocks other starts, nothing else.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lambed/gateway.h"
#include "lambed/host.h"

namespace lambed::environments {

using HostOptions = std::map<std::string, std::string>;

class Environment;

// What environments are opened with: a plugin that was started in this process, or the way to worker processes
// (process/process_host.h). Lives as long as the process.
class Host {
 public:
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // What is called about an environment that was opened: interrupt, abandon, usage.
  const lambed_host_api& api() const { return *api_; }
  // Begins to open one; `handle` names it in api(). The caller holds opening(). On an error nothing was begun.
  virtual Result<void> open(Environment& environment, const lambed_environment_options& options,
                            lambed_environment** handle);
  std::string_view language() const { return language_; }
  const std::string& interpreter_version() const { return interpreter_version_; }
  bool has(lambed_host_traits trait) const { return (traits_ & trait) != 0; }
  // Of one version of a function; 0: no limit.
  std::uint32_t max_environments_per_version() const { return max_environments_per_version_; }
  // Held around api().open: a host opens one environment at a time.
  std::mutex& opening() { return opening_; }
  // What the host had to say while it started; each message is handed out once.
  std::vector<std::string> take_notices();

 protected:
  Host(const lambed_host_api& api, std::string language) : api_(&api), language_(std::move(language)) {}
  // Before anybody opens an environment; later calls change nothing, since what is there is read without a lock.
  void set_description(const std::string& interpreter_version, const std::string& interpreter_path,
                       std::vector<std::string> notices);

 private:
  friend class HostRegistry;
  const lambed_host_api* const api_;
  const std::string language_;
  std::string plugin_path_, interpreter_version_, interpreter_path_;
  std::uint32_t traits_ = 0;
  std::uint32_t max_environments_per_version_ = 0;
  HostOptions options_;
  std::mutex opening_;
  std::mutex notices_mutex_;  // guards notices_
  std::vector<std::string> notices_;
};

class HostRegistry {
 public:
  static HostRegistry& instance();

  // The running host for "python", "nodejs", "ruby"; starts it if need be. HostUnavailable names cause and remedy.
  Result<Host*> host_for(std::string_view language, const HostOptions& options);
  // All plugins that can be found; with `probe` each one is started.
  std::vector<HostReport> report(bool probe);
  // The languages that plugins claim, without loading one.
  std::vector<std::string> languages();
  // The plugin files for a language, the one to try first at the front; and the folders that are searched for plugins.
  std::vector<std::string> plugin_files(std::string_view language);
  std::vector<std::string> plugin_folders();

  // `close` is called at exit unless it was removed before. For gateways.
  std::uint64_t add_exit_hook(std::function<void()> close);
  void remove_exit_hook(std::uint64_t id);

  // What runs at exit must run before the destructors of static objects that interpreters, extension modules and addons
  // still use, and libraries make such objects late: when they are loaded, at the first use of a feature. The last one
  // registered runs first, so that this is called whenever an environment has come a step further (has been opened, has
  // answered for the first time), and registers anew after steps that are likely to have made some: the 1st, 2nd, 4th, 8th ..., and any
  // at which a library was loaded. Each time takes 32 bytes for ever.
  void stay_first_at_exit();

  // Whose process this is; said by the binding before the first gateway is made.
  void set_context(lambed_context context);
  // Before the first gateway as well: one more folder with plugins; a host that is linked into the application.
  void add_folder(std::string folder);
  void add_built_in(std::string language, const lambed_host_api& api);

 private:
  struct Candidate {
    std::string language;
    std::string path;
    const lambed_host_api* built_in = nullptr;  // `path` then only says so
  };

  HostRegistry() = default;
  std::vector<Candidate> candidates();
  static Result<const lambed_host_api*> load(const std::string& path);
  Result<Host*> load_and_start(const Candidate& candidate, const HostOptions& options);
  static void at_exit();

  std::mutex mutex_;  // guards what follows; held while a host starts
  std::map<std::string, std::unique_ptr<Host>, std::less<>> hosts_;
  std::vector<Host*> start_order_;
  std::map<std::string, Error, std::less<>>
      failures_;  // a host that failed to start is not tried again: half-started
                  // interpreters cannot be undone
  lambed_context context_ = LAMBED_CONTEXT_PROGRAM;
  // The process that started the first host; 0: none has. A forked child inherits hosts whose threads stayed behind.
  std::atomic<pid_t> owner_{0};

  std::mutex places_mutex_;  // guards what follows
  std::vector<std::string> folders_;
  std::vector<Candidate> built_in_;

  std::atomic<std::uint64_t> loaded_libraries_{0};
  std::atomic<std::uint64_t> steps_{0};

  std::mutex hooks_mutex_;  // guards hooks_ and next_hook_
  std::map<std::uint64_t, std::function<void()>> hooks_;
  std::uint64_t next_hook_ = 1;
};

// "python3.11" -> "python", "nodejs20.x" -> "nodejs".
std::string_view language_of_runtime(std::string_view runtime);

}  // namespace lambed::environments
