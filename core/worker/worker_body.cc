#include "worker/worker_body.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "environments/channel/shared_memory.h"
#include "environments/told_options.h"
#include "worker/worker_core.h"

namespace lambed::worker {
namespace {

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

// As a function meets them on Lambda, whatever the launcher has done to its own.
void reset_signals() {
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction now {};
    if (sigaction(s, nullptr, &now) == 0 && now.sa_handler == SIG_IGN && s != SIGPIPE) signal(s, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// What names the folders of the code says where the worker sees them.
channel::Pairs variables_inside(const channel::Spawn& spawn, const sandbox::Inside& inside) {
  channel::Pairs variables = spawn.variables;
  for (auto& [name, value] : variables) {
    if (name == "LAMBDA_TASK_ROOT") value = inside.task_root;
    if (name == "LD_LIBRARY_PATH" && value.starts_with(spawn.task_root + ":")) {
      value = inside.task_root + ":" + inside.task_root + "/lib";
      if (!inside.layers.empty()) value += ":" + inside.layers + "/lib";
    }
  }
  if (!inside.runtime.empty()) variables.emplace_back("LAMBDA_RUNTIME_DIR", inside.runtime);
  return variables;
}

// Not clearenv(): that leaves no list at all, which Ruby does not reckon with.
void set_environment(const channel::Pairs& variables) {
  static char* nothing[] = {nullptr};
  environ = nothing;
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
}

// Left alone, glibc gives the memory of each large event and result back to the system and gets it page by page for the next:
// 2,900 faults for one of 6 MB. It is the function's own memory, and ends with it.
void keep_memory_of_payloads() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 16 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
#endif
}

void refuse(WorkerCore& core, std::string_view message) {
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = LAMBED_OUTCOME_REFUSED;
  outcome.payload = slice(message);
  core.opened(outcome);
}

}  // namespace

StartedPlugin start_plugin(const Plugin& plugin) {
  StartedPlugin result;
  reset_signals();
  if (plugin.runs_before_fork()) {
    plugin.api().after_fork(1);
    return result;
  }
  if (const auto started = plugin.start(WorkerCore::table()); !started.ok())
    result.problem = started.error().what();
  result.notices = WorkerCore::take_start_notices();
  return result;
}

int run_worker(const Plugin& plugin, std::optional<StartedPlugin> started, const channel::Spawn& spawn,
               const sandbox::Inside& inside, WorkerStreams streams) {
  keep_memory_of_payloads();
  // A forked interpreter wants to know at once; one that is to be started wants to see the function's variables.
  if (!started && plugin.runs_before_fork()) started = start_plugin(plugin);
  dup2(streams.output.get(), STDOUT_FILENO);
  dup2(streams.error.get(), STDERR_FILENO);
  streams.output.reset();
  streams.error.reset();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // native code's lines, as they come

  auto memory = channel::SharedMemory::open(std::move(streams.memory));
  if (!memory.ok()) {
    std::fprintf(stderr, "%s\n", memory.error().what());
    return 1;
  }
  auto* core =
      new WorkerCore(std::move(*memory));  // plugins' threads may look at it until the process is gone
  channel::Spawn told = spawn;             // as seen from inside
  told.task_root = inside.task_root;
  told.layers.clear();
  if (!inside.layers.empty()) told.layers.push_back(inside.layers);
  told.variables = variables_inside(spawn, inside);
  set_environment(told.variables);
  if (chdir(inside.task_root.c_str()) != 0) {
    refuse(*core, "The folder with the code, " + spawn.task_root + ", cannot be entered from its sandbox.");
    return 1;
  }
  if (!started) started = start_plugin(plugin);
  if (!started->problem.empty()) {
    refuse(*core, started->problem);
    return 1;
  }
  if (!inside.notice.empty()) core->log(channel::kNoticeStream, slice(inside.notice), 0);
  for (const std::string& notice : started->notices) core->log(channel::kNoticeStream, slice(notice), 0);

  const environments::ToldOptions options(told, core, spawn.init_deadline);
  std::array<char, 1024> message{};
  lambed_environment* environment = nullptr;
  if (plugin.api().open(&options.get(), &environment, message.data(), message.size()) != 0) {
    message.back() = '\0';
    refuse(*core, message.data());
    return 1;
  }
  core->wait_until_closed();
  return 0;
}

}  // namespace lambed::worker
