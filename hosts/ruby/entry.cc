// The plugin's table of functions.
#include <lambed/host.h>

#include <cstdio>
#include <string>

#include "vm.h"

namespace lambed::ruby {

namespace {

// SIGVTALRM is all that Ruby keeps: SIGCHLD is served without a handler (see signals.h).
constexpr int kSignals[] = {SIGVTALRM};
constexpr lambed_slice kGlobalLibraries[] = {{"libruby", 7}};

lambed_slice slice(const std::string& text) { return {text.data(), text.size()}; }

void describe(lambed_host_description* description) {
  const Vm& vm = Vm::instance();
  description->language = {"ruby", 4};
  description->interpreter_version = slice(vm.version());
  description->interpreter_path = slice(vm.library());
  description->traits = LAMBED_HOST_SHARED_LOCK | LAMBED_HOST_SHARED_NAMESPACE | LAMBED_HOST_CONTAINS_EXIT;
  description->memory_scope = LAMBED_MEMORY_UNLIMITED;
  description->max_environments = 0;
  description->start_after = nullptr;
  description->start_after_count = 0;
  description->global_libraries = kGlobalLibraries;
  description->global_library_count = 1;
  description->signals = kSignals;
  description->signal_count = 1;
}

int start(const lambed_core* core, const lambed_host_options* options, char* message, size_t message_size) {
  std::string interpreter;
  for (size_t i = 0; i < options->option_count; ++i) {
    const lambed_option& option = options->options[i];
    if (std::string(option.name.data, option.name.size) == "interpreter") {
      interpreter.assign(option.value.data, option.value.size);
    }
  }
  const std::string problem = Vm::instance().start(*core, interpreter);
  if (problem.empty()) return 0;
  std::snprintf(message, message_size, "%s", problem.c_str());
  return 1;
}

int open(const lambed_environment_options* options, lambed_environment** environment, char*, size_t) {
  *environment = Vm::instance().open(*options);
  return 0;
}

lambed_interrupt interrupt(lambed_environment* environment, std::uint64_t token) {
  return Vm::instance().interrupt(*environment, token);
}

void abandon(lambed_environment* environment) { Vm::instance().abandon(*environment); }

// Objects of all environments share one heap: memory is the whole VM's.
void usage(lambed_environment* environment, lambed_usage* usage) {
  usage->memory = Vm::instance().memory;
  usage->memory_peak = usage->memory;
  usage->cpu_ns = environment->cpu_ns();
}

void stop() { Vm::instance().stop(); }

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
    nullptr,
    stop,
    nullptr,  // before_fork
    nullptr,  // after_fork
};

}  // namespace

}  // namespace lambed::ruby

extern "C" __attribute__((visibility("default"))) const lambed_host_api* lambed_host_entry(
    uint32_t core_abi) {
  return core_abi == LAMBED_HOST_ABI ? &lambed::ruby::kApi : nullptr;
}
