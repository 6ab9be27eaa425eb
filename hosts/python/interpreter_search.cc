#include "interpreter_search.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

extern char** environ;

namespace lambed::python {

namespace fs = std::filesystem;

namespace {

constexpr int kOldestMinor = 11;  // Py_LIMITED_API of this host
constexpr std::chrono::seconds kAnswerTime{10};

constexpr const char* kQuestion =
    "import sys, sysconfig\n"
    "g = lambda name: str(sysconfig.get_config_var(name) or '')\n"
    "print('lambed', sys.version_info[0], sys.version_info[1], sys.executable, sys.base_prefix, g('LIBDIR'), "
    "g('INSTSONAME'),"
    " g('MULTIARCH'), sep='\\n')\n";

// What `program -c kQuestion` prints, or nothing when it fails or does not answer in time. posix_spawn, because the process
// around us may have threads and locks that fork would copy.
std::optional<std::string> ask(const std::string& program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  const std::string question = kQuestion;
  std::vector<std::string> words = {program, "-I", "-S", "-c", question};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return std::nullopt;
  }
  std::string answer;
  const auto end = std::chrono::steady_clock::now() + kAnswerTime;
  bool complete = false;
  while (!complete) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready = {ends[0], POLLIN, 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) <= 0) break;
    char buffer[4096];
    const ssize_t got = read(ends[0], buffer, sizeof buffer);
    if (got > 0) answer.append(buffer, static_cast<std::size_t>(got));
    complete = got <= 0;
  }
  close(ends[0]);
  if (!complete) kill(child, SIGKILL);
  // The process around us may reap children by itself (SIGCHLD ignored): then there is no status, and the answer counts.
  int status = 0;
  const bool reaped = waitpid(child, &status, 0) == child;
  if (!complete || (reaped && status != 0)) return std::nullopt;
  return answer;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string library_name(int minor) { return "libpython3." + std::to_string(minor) + ".so.1.0"; }

std::string first_library(const std::vector<fs::path>& folders, int minor) {
  for (const fs::path& folder : folders) {
    if (folder.empty()) continue;
    for (const std::string& name : {library_name(minor), "libpython3." + std::to_string(minor) + ".so"}) {
      if (is_file(folder / name)) return (folder / name).string();
    }
  }
  return {};
}

// The minor version in a name such as python3.12 or libpython3.12.so.1.0; -1 when there is none.
int minor_in(const std::string& name, const std::string& prefix) {
  if (name.rfind(prefix, 0) != 0 || name.size() == prefix.size()) return -1;
  char* end = nullptr;
  const long minor = std::strtol(name.c_str() + prefix.size(), &end, 10);
  if (end == name.c_str() + prefix.size() || (*end != '\0' && *end != '.')) return -1;
  return static_cast<int>(minor);
}

std::vector<fs::path> library_folders(const fs::path& prefix, const std::string& multiarch) {
  std::vector<fs::path> folders = {prefix / "lib", prefix / "lib64"};
  if (!multiarch.empty()) folders.insert(folders.begin(), prefix / "lib" / multiarch);
  return folders;
}

#if defined(__x86_64__)
constexpr const char* kMultiarch = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr const char* kMultiarch = "aarch64-linux-gnu";
#else
constexpr const char* kMultiarch = "";
#endif

struct Candidate {
  Interpreter found;
  std::string failure;
};

Candidate examine_program(const std::string& program) {
  std::error_code failed;
  const fs::path real = fs::canonical(program, failed);
  if (failed || access(program.c_str(), X_OK) != 0) return {{}, program + " is not an executable"};
  // The usual installations give themselves away by their paths: that spares a run of the interpreter (20 ms).
  if (const int minor = minor_in(real.filename().string(), "python3."); minor >= kOldestMinor) {
    const std::string library =
        first_library(library_folders(real.parent_path().parent_path(), kMultiarch), minor);
    if (!library.empty()) return {{program, library}, {}};
  }
  const std::optional<std::string> answer = ask(program);
  const std::vector<std::string> lines = answer ? lines_of(*answer) : std::vector<std::string>();
  if (lines.size() != 8 || lines[0] != "lambed")
    return {{}, program + " did not answer like a Python interpreter"};
  const int minor = std::atoi(lines[2].c_str());
  const std::string version = lines[1] + "." + lines[2];
  if (lines[1] != "3" || minor < kOldestMinor) {
    return {
        {},
        program + " is Python " + version + ", 3." + std::to_string(kOldestMinor) + " or newer is needed"};
  }
  std::vector<fs::path> folders = library_folders(lines[4], lines[7]);
  folders.insert(folders.begin(), fs::path(lines[5]));
  const std::string library = first_library(folders, minor);
  if (library.empty()) {
    return {{},
            program + " (Python " + version + ") has no " + library_name(minor) +
                ": Debian and Ubuntu: apt install libpython" + version +
                "; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install " + version};
  }
  return {{lines[3].empty() ? program : lines[3], library}, {}};
}

Candidate examine_library(const fs::path& library) {
  if (!is_file(library)) return {{}, library.string() + " is not a file"};
  const int minor = minor_in(fs::canonical(library).filename().string(), "libpython3.");
  const std::string name = minor < 0 ? "python3" : "python3." + std::to_string(minor);
  const fs::path folder = fs::absolute(library).parent_path();
  for (const fs::path& prefix : {folder.parent_path(), folder.parent_path().parent_path()}) {
    if (is_file(prefix / "bin" / name)) return {{(prefix / "bin" / name).string(), library.string()}, {}};
  }
  return {{},
          library.string() + " has no " + name + " in a bin folder beside it: name the executable instead"};
}

Candidate examine(const std::string& wanted) {
  const std::string name = fs::path(wanted).filename().string();
  if (name.rfind("libpython", 0) == 0) return examine_library(wanted);
  return examine_program(wanted);
}

std::vector<std::string> programs_on_path() {
  std::vector<std::string> programs;
  const char* const raw = getenv("PATH");
  std::string path = raw == nullptr ? "/usr/local/bin:/usr/bin:/bin" : raw;
  path += ":/usr/bin";  // the system's Python is the last resort, even of those who hide it
  std::vector<std::string> folders;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    if (end > begin) folders.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const char* name : {"python3", "python3.13", "python3.12", "python3.11"}) {
    for (const std::string& folder : folders) {
      const std::string program = (fs::path(folder) / name).string();
      if (access(program.c_str(), X_OK) != 0) continue;
      if (std::find(programs.begin(), programs.end(), program) == programs.end()) programs.push_back(program);
    }
  }
  return programs;
}

std::string resolve_on_path(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* const path = getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = (fs::path(rest.substr(0, end)) / program).string();
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  return program;
}

}  // namespace

InterpreterSearch find_interpreter(const std::string& wanted) {
  const char* const variable = getenv("LAMBED_PYTHON");
  std::string named = wanted;
  std::string named_by = "the option `interpreter`";
  if (named.empty() && variable != nullptr && *variable != '\0') {
    named = variable;
    named_by = "LAMBED_PYTHON";
  }
  if (!named.empty()) {
    Candidate candidate = examine(resolve_on_path(named));
    if (candidate.failure.empty()) return {std::move(candidate.found), {}, {}};
    return {{}, named_by + ": " + candidate.failure, {}};
  }
  std::string failures;
  for (const std::string& program : programs_on_path()) {
    Candidate candidate = examine_program(program);
    if (candidate.failure.empty()) {
      std::string notice = failures.empty() ? "" : failures + "; using " + candidate.found.program;
      return {std::move(candidate.found), {}, std::move(notice)};
    }
    failures += (failures.empty() ? "" : "; ") + candidate.failure;
  }
  if (failures.empty())
    failures = "no python3 on PATH: Debian and Ubuntu: apt install python3 libpython3-dev";
  return {{}, failures + ". Or name another one by LAMBED_PYTHON", {}};
}

}  // namespace lambed::python
