#include "environments/process/worker_program.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "environments/host_registry.h"

extern char** environ;

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
  std::vector<std::string> variables;
  const auto keep = [&variables](std::string_view entry) {
    static constexpr std::string_view kNames[] = {"PATH=", "LD_LIBRARY_PATH=", "LANG=", "LC_ALL=", "TMPDIR="};
    // Of sanitized builds: they must report in the same way in every process. But for leaks: to look for them takes tracing, which
    // the sandbox lets nobody do, and a search that fails changes the status that a worker ends with.
    static constexpr std::string_view kPrefixes[] = {"UBSAN_OPTIONS=", "TSAN_OPTIONS="};
    static constexpr std::string_view kAddressSanitizer = "ASAN_OPTIONS=";
    for (const std::string_view name : kNames)
      if (entry.starts_with(name)) variables.emplace_back(entry);
    for (const std::string_view prefix : kPrefixes)
      if (entry.starts_with(prefix)) variables.emplace_back(entry);
    if (entry.starts_with(kAddressSanitizer)) variables.push_back(std::string(entry) + ":detect_leaks=0");
  };
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) keep(*entry);
  return variables;
}

}  // namespace lambed::process
