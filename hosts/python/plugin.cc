// The C face of this host: the table of core/include/lambed/host.h.
#include <lambed/host.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <thread>

#include "environment.h"
#include "python_vm.h"
#include "signals.h"

namespace lambed::python {

namespace {

void tell(const std::string& text, char* message, std::size_t size) {
  if (message == nullptr || size == 0) return;
  const std::size_t length = std::min(text.size(), size - 1);
  std::memcpy(message, text.data(), length);
  message[length] = '\0';
}

lambed_slice slice_of(const std::string& text) { return {text.data(), text.size()}; }

void describe(lambed_host_description* description) {
  static constexpr char kLanguage[] = "python";
  const PythonVm& vm = PythonVm::instance();
  static lambed_slice global_library;  // written by `describe` calls only, which come one at a time
  description->language = {kLanguage, sizeof kLanguage - 1};
  description->interpreter_version = slice_of(vm.version());
  description->interpreter_path = slice_of(vm.path());
  description->traits = LAMBED_HOST_CONTAINS_EXIT | LAMBED_HOST_CONTAINS_FATAL;
  if (!vm.runs() || !vm.has_own_locks()) description->traits |= LAMBED_HOST_SHARED_LOCK;
  description->memory_scope =
      !vm.runs() || vm.counts_memory() ? LAMBED_MEMORY_PER_ENVIRONMENT : LAMBED_MEMORY_UNLIMITED;
  description->max_environments = 0;
  description->start_after = nullptr;
  description->start_after_count = 0;
  global_library = slice_of(vm.path());
  description->global_libraries = vm.runs() ? &global_library : nullptr;
  description->global_library_count = vm.runs() ? 1 : 0;
  description->signals = nullptr;
  description->signal_count = 0;
}

int start(const lambed_core* core, const lambed_host_options* options, char* message,
          std::size_t message_size) {
  std::string failure;
  try {
    failure = PythonVm::instance().start(core, options);
  } catch (const std::exception& error) {
    failure = std::string("the Python host could not start: ") + error.what();
  }
  if (failure.empty()) return 0;
  tell(failure, message, message_size);
  return 1;
}

int open_environment(const lambed_environment_options* options, lambed_environment** environment,
                     char* message, std::size_t message_size) {
  PythonVm& vm = PythonVm::instance();
  if (!vm.runs()) {
    tell("the Python host does not run", message, message_size);
    return 1;
  }
  try {
    std::unique_ptr<lambed_environment> made(new lambed_environment{{*options, vm}});
    *environment = made.get();  // before the thread exists, which may be done with it at once
    if (vm.is_worker()) {
      made->environment.run();
      return 0;
    }
    const AllSignalsBlocked blocked;
    std::thread([handle = made.get()] {
      const std::unique_ptr<lambed_environment> owner(handle);
      owner->environment.run();
    }).detach();
    static_cast<void>(made.release());
  } catch (const std::exception& error) {
    *environment = nullptr;
    tell(std::string("no thread for another Python environment: ") + error.what(), message, message_size);
    return 1;
  }
  return 0;
}

lambed_interrupt interrupt(lambed_environment* environment, std::uint64_t token) {
  return environment->environment.interrupt(token);
}

void abandon(lambed_environment* environment) { environment->environment.abandon(); }

void usage(lambed_environment* environment, lambed_usage* usage) { environment->environment.usage(*usage); }

void stop() { PythonVm::instance().stop(); }

int before_fork() { return PythonVm::instance().before_fork() ? 0 : 1; }

void after_fork(int is_child) { PythonVm::instance().after_fork(is_child != 0); }

constexpr lambed_host_api kApi = {
    sizeof(lambed_host_api),
    LAMBED_HOST_ABI,
    describe,
    start,
    open_environment,
    interrupt,
    abandon,
    usage,
    nullptr,  // freeze
    nullptr,  // thaw
    nullptr,  // quiesce: nothing is kept for speed
    stop,
    before_fork,
    after_fork,
};

}  // namespace

}  // namespace lambed::python

extern "C" __attribute__((visibility("default"))) const lambed_host_api* lambed_host_entry(
    uint32_t core_abi) {
  return core_abi == LAMBED_HOST_ABI ? &lambed::python::kApi : nullptr;
}
