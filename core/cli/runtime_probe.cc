#include "cli/runtime_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/function_source.h"
#include "lambed/gateway.h"

namespace lambed::cli {
namespace {

constexpr int kPatienceMs = 10'000;

std::string languages_with_plugins() {
  std::string text;
  for (const HostReport& host : Gateway::hosts(false)) {
    if (text.find(host.language) == std::string::npos) text += (text.empty() ? "" : ", ") + host.language;
  }
  return text.empty() ? "none: no plugin was found (see `lambed doctor`)"
                      : text + " (versions: `lambed doctor`)";
}

// What decides which interpreters are found. Not `environ`: inside node there are two of it (node/lib/native.cjs).
std::vector<std::string> environment_of_probe() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "LAMBED_HOST_PATH", "VIRTUAL_ENV",
                           "RUBYLIB", "RUBYOPT", "GEM_PATH", "LANG"}) {
    if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  }
  return variables;
}

// The output of `program --list-runtimes`; empty when there is none.
std::string ask(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string words[] = {program, "doctor", "--brief"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  std::vector<std::string> variables = environment_of_probe();
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  if (failed == 0) {
    std::array<char, 4096> buffer;
    pollfd readable{ends[0], POLLIN, 0};
    for (;;) {
      if (const int ready = ::poll(&readable, 1, kPatienceMs); ready < 0 && errno == EINTR) {
        continue;
      } else if (ready <= 0) {
        break;
      }
      const ssize_t got = ::read(ends[0], buffer.data(), buffer.size());
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string installed_runtimes() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string text;
  if (!error && program.filename() == "lambed") text = ask(program.string());
  return text.empty() ? languages_with_plugins() : text;
}

std::string probe_runtimes() {
  // Nobody reads the answer when the server that asks is gone.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string text;
  for (const HostReport& host : Gateway::hosts(true)) {
    if (!host.available) continue;
    text += fmt::format("{}{} {} ({})", text.empty() ? "" : ", ", host.language, host.interpreter_version,
                        runtime_for(host.language, host.interpreter_version));
  }
  return text.empty() ? "none (see `lambed doctor`)" : text;
}

}  // namespace lambed::cli
