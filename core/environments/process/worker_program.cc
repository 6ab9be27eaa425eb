#include "environments/process/worker_program.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "environments/host_registry.h"

namespace lambed::process {
namespace {

constexpr std::string_view kName = "lambed-worker";

bool can_be_run(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

}  // namespace

Result<std::string> find_worker_program() {
  if (const char* named = std::getenv("LAMBED_WORKER"); named != nullptr && *named != '\0') {
    if (can_be_run(named)) return std::string(named);
    return Error(ErrorCode::HostUnavailable,
                 "LAMBED_WORKER names " + std::string(named) +
                     ", which is no program that can be run. Unset the variable, or "
                     "let it name lambed-worker.");
  }
  std::string places;
  for (const std::string& folder : environments::HostRegistry::instance().plugin_folders()) {
    std::string path = folder + "/" + std::string(kName);
    if (can_be_run(path)) return path;
    places += (places.empty() ? "" : ", ") + folder;
  }
  return Error(ErrorCode::HostUnavailable,
               "Isolation `process` needs the program lambed-worker, which was not found in " + places +
                   ". Install lambed completely, or let LAMBED_WORKER name the program.");
}

std::vector<std::string> launcher_variables() {
  // By name, and not from `environ`: node has a copy of its own of that variable.
  std::vector<std::string> variables;
  const auto keep = [&variables](const char* name, const char* more = "") {
    if (const char* value = std::getenv(name); value != nullptr)
      variables.push_back(std::string(name) + "=" + value + more);
  };
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "LAMBED_SANDBOX_LAYER"})
    keep(name);
  // Of sanitized builds: they must report in the same way in every process. But for leaks: to look for them takes tracing, which
  // the sandbox lets nobody do, and a search that fails changes the status that a worker ends with.
  for (const char* name : {"UBSAN_OPTIONS", "TSAN_OPTIONS"}) keep(name);
  keep("ASAN_OPTIONS", ":detect_leaks=0");
  return variables;
}

}  // namespace lambed::process
