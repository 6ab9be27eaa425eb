#include "worker/worker_body.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "environments/channel/shared_memory.h"
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

void refuse(WorkerCore& core, std::string_view message) {
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = LAMBED_OUTCOME_REFUSED;
  outcome.payload = slice(message);
  core.opened(outcome);
}

}  // namespace

int run_worker(const Plugin& plugin, const channel::Spawn& spawn, const sandbox::Inside& inside,
               WorkerStreams streams) {
  if (plugin.runs_before_fork()) plugin.api().after_fork(1);
  reset_signals();
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
  const channel::Pairs all_variables = variables_inside(spawn, inside);
  set_environment(all_variables);
  if (chdir(inside.task_root.c_str()) != 0) {
    refuse(*core, "The folder with the code, " + spawn.task_root + ", cannot be entered from its sandbox.");
    return 1;
  }
  if (!plugin.runs_before_fork()) {
    if (const auto started = plugin.start(WorkerCore::table()); !started.ok()) {
      refuse(*core, started.error().what());
      return 1;
    }
    for (const std::string& notice : WorkerCore::take_start_notices())
      core->log(channel::kNoticeStream, slice(notice), 0);
  }

  std::vector<lambed_slice> layers;
  if (!inside.layers.empty()) layers.push_back(slice(inside.layers));
  std::vector<lambed_variable> variables;
  for (const auto& [name, value] : all_variables) variables.push_back({slice(name), slice(value)});
  lambed_environment_options options{};
  options.size = sizeof options;
  options.user = core;
  options.function_name = slice(spawn.function_name);
  options.function_version = slice(spawn.function_version);
  options.function_id = slice(spawn.function_id);
  options.code_id = slice(spawn.code_id);
  options.runtime = slice(spawn.runtime);
  options.handler = slice(spawn.handler);
  options.task_root = slice(inside.task_root);
  options.layers = layers.data();
  options.layer_count = layers.size();
  options.variables = variables.data();
  options.variable_count = variables.size();
  options.memory_limit = spawn.memory_limit;
  options.init_deadline = spawn.init_deadline;
  options.log_group = slice(spawn.log_group);
  options.log_stream = slice(spawn.log_stream);
  options.json_logs = spawn.json_logs ? 1 : 0;

  std::array<char, 1024> message{};
  lambed_environment* environment = nullptr;
  if (plugin.api().open(&options, &environment, message.data(), message.size()) != 0) {
    message.back() = '\0';
    refuse(*core, message.data());
    return 1;
  }
  core->wait_until_closed();
  return 0;
}

}  // namespace lambed::worker
