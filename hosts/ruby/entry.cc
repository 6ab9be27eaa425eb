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
  bool is_warm = true;
  for (size_t i = 0; i < options->option_count; ++i) {
    const std::string name(options->options[i].name.data, options->options[i].name.size);
    const std::string value(options->options[i].value.data, options->options[i].value.size);
    if (name == "interpreter") interpreter = value;
    if (name == "warm") is_warm = value != "no";  // "no": each worker boots its own VM
  }
  const std::string problem =
      Vm::instance().start(*core, static_cast<lambed_context>(options->context), interpreter, is_warm);
  if (problem.empty()) return 0;
  std::snprintf(message, message_size, "%s", problem.c_str());
  return 1;
}

int open(const lambed_environment_options* options, lambed_environment** environment, char*, size_t) {
  Vm& vm = Vm::instance();
  if (vm.is_worker()) {
    vm.serve(*options, environment);
  } else {
    *environment = vm.open(*options);
  }
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

int before_fork() { return Vm::instance().before_fork() ? 0 : 1; }

void after_fork(int is_child) { Vm::instance().after_fork(is_child != 0); }

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
    before_fork,
    after_fork,
};

}  // namespace

}  // namespace lambed::ruby

extern "C" __attribute__((visibility("default"))) const lambed_host_api* lambed_host_entry(
    uint32_t core_abi) {
  return core_abi == LAMBED_HOST_ABI ? &lambed::ruby::kApi : nullptr;
}
