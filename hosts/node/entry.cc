// The plugin's table: host.h on one side, NodeProcess and Environment on the other.
#include <lambed/host.h>
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "environment.h"
#include "process.h"

namespace lambed::node_host {
namespace {

Environment* of(lambed_environment* environment) { return reinterpret_cast<Environment*>(environment); }

int tell(const std::string& problem, char* message, size_t message_size) {
  if (problem.empty()) return 0;
  if (message != nullptr && message_size > 0) std::snprintf(message, message_size, "%s", problem.c_str());
  return 1;
}

void describe(lambed_host_description* description) {
  // Ruby replaces SIGCHLD's handler when it starts, node at its first child process; node shares it among its
  // loops.
  static constexpr int kSignals[] = {SIGCHLD};
  static const lambed_slice library = slice(NodeProcess::library_path());
  lambed_host_description filled{};
  filled.size = sizeof filled;
  filled.language = slice("nodejs");
  filled.interpreter_version = slice(std::string_view(NODE_VERSION).substr(1));
  filled.interpreter_path = library;
  filled.traits = LAMBED_HOST_CONTAINS_EXIT | LAMBED_HOST_CONTAINS_FATAL;
  filled.memory_scope = LAMBED_MEMORY_PER_ENVIRONMENT;
  filled.global_libraries = &library;
  filled.global_library_count = 1;
  filled.signals = kSignals;
  filled.signal_count = 1;
  *description = filled;
}

int start(const lambed_core* core, const lambed_host_options* options, char* message, size_t message_size) {
  return tell(NodeProcess::instance().start(static_cast<lambed_context>(options->context), core), message,
              message_size);
}

int open(const lambed_environment_options* options, lambed_environment** environment, char* message,
         size_t message_size) {
  NodeProcess& process = NodeProcess::instance();
  if (!process.is_started()) return tell("the Node.js host has not been started", message, message_size);
  if (process.is_worker()) {
    auto* const made = Environment::make_for_worker(process, *options);
    *environment = reinterpret_cast<lambed_environment*>(made);
    made->serve_worker();
    return 0;
  }
  std::string problem;
  *environment = reinterpret_cast<lambed_environment*>(Environment::open(process, *options, problem));
  return tell(problem, message, message_size);
}

lambed_interrupt interrupt(lambed_environment* environment, uint64_t token) {
  return of(environment)->interrupt(token);
}

// Nothing to do: the environment keeps everything it uses, and calls `closed` if it ever ends.
void abandon(lambed_environment*) {}

void usage(lambed_environment* environment, lambed_usage* usage) {
  lambed_usage filled{};
  filled.size = sizeof filled;
  of(environment)->usage(filled);
  *usage = filled;
}

// Threads of freed environments leave their memory to malloc's arenas.
void quiesce() { malloc_trim(0); }

void stop() {
  // V8 cannot be ended under threads that still run in it.
  if (Environment::wait_for_all()) NodeProcess::instance().stop();
}

constexpr lambed_host_api kApi = {
    sizeof(lambed_host_api),
    LAMBED_HOST_ABI,
    describe,
    start,
    open,
    interrupt,
    abandon,
    usage,
    nullptr,
    nullptr,
    quiesce,
    stop,
    nullptr,   // before_fork: V8 has threads from its start on, and a fork would lose them
    nullptr};  // after_fork

}  // namespace
}  // namespace lambed::node_host

extern "C" __attribute__((visibility("default"))) const lambed_host_api* lambed_host_entry(
    uint32_t core_abi) {
  return core_abi == LAMBED_HOST_ABI ? &lambed::node_host::kApi : nullptr;
}
