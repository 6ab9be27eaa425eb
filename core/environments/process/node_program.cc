#include "environments/process/node_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "environments/host_registry.h"
#include "environments/process/spawn_attributes.h"
#include "environments/process/worker_program.h"

namespace lambed::process {
namespace {

constexpr int kPatienceMs = 10'000;

struct Versions {
  std::string version, abi;
};

Error no_node(const std::string& message) { return Error(ErrorCode::HostUnavailable, message); }

// What it prints by that expression; empty when it cannot be run.
std::string answer_of(const std::string& program, const char* expression) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  const SpawnAttributes attributes;
  std::string words[] = {program, "-p", expression};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  std::vector<std::string> variables = launcher_variables();
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, program.c_str(), &files, attributes.get(), arguments, environment.data());
  posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  std::string text;
  if (failed == 0) {
    std::array<char, 256> buffer{};
    pollfd readable{ends[0], POLLIN, 0};
    for (;;) {
      const int ready = ::poll(&readable, 1, kPatienceMs);
      if (ready < 0 && errno == EINTR) continue;
      const ssize_t got = ready <= 0 ? 0 : ::read(ends[0], buffer.data(), buffer.size());
      if (got <= 0 || text.size() > buffer.size()) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::kill(child, SIGKILL);  // it has answered, or never will
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  return text;
}

// Nothing: it is no node.
std::optional<Versions> versions_of(const std::string& program) {
  static auto& mutex = *new std::mutex;  // guards known; never destroyed, as threads outlive main()
  static auto& known = *new std::map<std::string, std::optional<Versions>>;
  const std::lock_guard lock(mutex);
  const auto [place, is_new] = known.try_emplace(program);
  if (!is_new) return place->second;
  const std::string answer =
      answer_of(program, "process.versions.node + ' ' + process.versions.modules + ' '");
  const std::size_t first = answer.find(' ');
  const std::size_t second = first == std::string::npos ? first : answer.find(' ', first + 1);
  if (second != std::string::npos)
    place->second = Versions{answer.substr(0, first), answer.substr(first + 1, second - first - 1)};
  return place->second;
}

std::vector<std::string> candidates(std::string_view major) {
  std::vector<std::string> paths;
  std::error_code error;
  if (const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
      !error && self.filename() == "node")
    paths.push_back(self.string());
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string folder(rest.substr(0, colon));
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    if (!folder.starts_with('/')) continue;
    paths.push_back(folder + "/node");
    if (!major.empty()) paths.push_back(folder + "/node" + std::string(major));
  }
  return paths;
}

bool is_of_major(const Versions& versions, std::string_view major) {
  return major.empty() || versions.version.substr(0, versions.version.find('.')) == major;
}

// Its plugin does not lie with the others: no other program can load it.
Result<NodeProgram> with_plugin(const std::string& path, const Versions& versions) {
  NodeProgram program{path, versions.version, {}, {}};
  for (const std::string& folder : environments::HostRegistry::instance().plugin_folders()) {
    if (program.plugin.empty()) {
      std::string plugin = folder + "/node/liblambed_host_nodejs-" + versions.abi + ".so";
      if (access(plugin.c_str(), R_OK) == 0) program.plugin = std::move(plugin);
    }
    if (program.library.empty()) {
      std::string library = folder + "/liblambed_worker.so";
      if (access(library.c_str(), R_OK) == 0) program.library = std::move(library);
    }
  }
  if (!program.plugin.empty() && !program.library.empty()) return program;
  return no_node(path + " is Node.js " + versions.version +
                 ", for which lambed has been built without a plugin (ABI " + versions.abi +
                 "; LAMBED_NODE_EXECUTABLE_HEADERS names its include/node when lambed is built)");
}

}  // namespace

std::string node_major_of(std::string_view runtime) {
  const std::string_view version = runtime.substr(environments::language_of_runtime(runtime).size());
  return std::string(version.substr(0, version.find_first_not_of("0123456789")));
}

Result<NodeProgram> node_at(const std::string& path) {
  const auto versions = versions_of(path);
  if (!versions) return no_node(path + " is no node that can be run");
  return with_plugin(path, *versions);
}

Result<NodeProgram> find_node(std::string_view major) {
  std::optional<Error> problem;
  for (const std::string& path : candidates(major)) {
    if (access(path.c_str(), X_OK) != 0) continue;
    const auto versions = versions_of(path);
    if (!versions || !is_of_major(*versions, major)) continue;
    auto found = with_plugin(path, *versions);
    if (found.ok()) return found;
    if (!problem) problem = found.error();
  }
  if (problem) return *problem;
  return no_node("there is no node" + (major.empty() ? "" : " of version " + std::string(major)) +
                 " on the path");
}

}  // namespace lambed::process
