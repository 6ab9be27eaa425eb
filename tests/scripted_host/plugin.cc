// The table of the plugin and the symbols for tests.
#include <lambed/host.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "environment.h"
#include "scripted_host.h"

#define SCRIPTED_EXPORT extern "C" __attribute__((visibility("default")))

namespace scripted {
namespace {

lambed_environment* opaque(Environment* environment) {
  return reinterpret_cast<lambed_environment*>(environment);
}
Environment* of(lambed_environment* environment) { return reinterpret_cast<Environment*>(environment); }

void say(char* message, std::size_t size, const std::string& text) {
  if (size > 0) std::snprintf(message, size, "%s", text.c_str());
}

void describe(lambed_host_description* description) {
  description->language = slice(SCRIPTED_LANGUAGE);
  description->interpreter_version = slice("1.0");
  description->interpreter_path = slice("(none)");
  description->traits =
      LAMBED_HOST_RESTARTABLE | LAMBED_HOST_CONTAINS_EXIT | LAMBED_HOST_CONTAINS_FATAL | SCRIPTED_TRAITS;
  description->memory_scope = LAMBED_MEMORY_PER_ENVIRONMENT;
  description->max_environments = 0;
  description->start_after = nullptr;
  description->start_after_count = 0;
  description->global_libraries = nullptr;
  description->global_library_count = 0;
  description->signals = nullptr;
  description->signal_count = 0;
}

int start(const lambed_core* core, const lambed_host_options* options, char* message, size_t message_size) {
  for (std::size_t i = 0; i < options->option_count; ++i) {
    if (view(options->options[i].name) == "refuse") {
      say(message, message_size, std::string(view(options->options[i].value)));
      return 1;
    }
  }
  world().core = core;
  return 0;
}

int open(const lambed_environment_options* options, lambed_environment** environment, char* message,
         size_t message_size) {
  for (const Step& step : parse_script(view(options->handler))) {
    if (step.verb == "open-fail") {
      say(message, message_size, std::string(step.argument));
      return 1;
    }
  }
  auto* const made = new Environment(*options);
  // Before the thread runs: it may call back, and be interrupted, at once.
  *environment = opaque(made);
  made->start();
  return 0;
}

lambed_interrupt interrupt(lambed_environment* environment, std::uint64_t token) {
  return of(environment)->interrupt(token);
}

void abandon(lambed_environment* environment) { of(environment)->abandon(); }

void usage(lambed_environment* environment, lambed_usage* usage) { of(environment)->usage(usage); }

void stop() {
  // Bounded, as the ABI asks: threads that are stuck are left behind.
  for (int i = 0; i < 100 && world().threads.load() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

const lambed_host_api kApi = {sizeof(lambed_host_api),
                              LAMBED_HOST_ABI,
                              describe,
                              start,
                              open,
                              interrupt,
                              abandon,
                              usage,
                              nullptr,
                              nullptr,
                              nullptr,
                              stop,
                              nullptr,  // before_fork: there is no interpreter to copy, `start` costs nothing
                              nullptr};  // after_fork

// When the plugin is loaded: in the process of the tests before there are launchers, in a launcher before there are workers.
const World& g_world = world();

}  // namespace
}  // namespace scripted

SCRIPTED_EXPORT const lambed_host_api* lambed_host_entry(uint32_t core_abi) {
  return core_abi == LAMBED_HOST_ABI ? &scripted::kApi : nullptr;
}

SCRIPTED_EXPORT void scripted_open_gate(const char* name) { scripted::open_gate(name); }
SCRIPTED_EXPORT void scripted_close_gate(const char* name) { scripted::close_gate(name); }
SCRIPTED_EXPORT long scripted_waiting_at(const char* name) { return scripted::waiting_at(name); }
SCRIPTED_EXPORT long scripted_environments() {
  return scripted::world().environments.load() + scripted::world().seated();
}
SCRIPTED_EXPORT long scripted_threads() {
  return scripted::world().threads.load() + scripted::world().seated();
}
SCRIPTED_EXPORT long scripted_resting() {
  return scripted::world().resting.load() + scripted::world().seated_and_resting();
}
SCRIPTED_EXPORT long scripted_opened() { return scripted::world().opened().load(); }
SCRIPTED_EXPORT long scripted_invocations() { return scripted::world().invocations().load(); }
SCRIPTED_EXPORT long scripted_interrupts() { return scripted::world().interrupts.load(); }
