#include "find_ruby.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>

extern char** environ;

namespace lambed::ruby {

namespace {

constexpr std::chrono::seconds kPatience{10};

constexpr const char* kQuestion =
    "require 'rbconfig'; c = RbConfig::CONFIG; "
    "%w[libdir archlibdir sitearchlibdir].each { |d| f = File.join(c[d].to_s, c['LIBRUBY_SO'].to_s); "
    "(puts f; exit) if File.file?(f) && c['ENABLE_SHARED'] == 'yes' }";

constexpr const char* kSystemLibraries[] = {
    "libruby-3.4.so.3.4", "libruby-3.3.so.3.3", "libruby-3.2.so.3.2", "libruby-3.1.so.3.1",
    "libruby-3.0.so.3.0", "libruby-2.7.so.2.7", "libruby.so.3.4",     "libruby.so.3.3",
    "libruby.so.3.2",     "libruby.so.3.1",     "libruby.so.3.0",     "libruby.so.2.7",
};

// Everything the process writes until end of file; nothing when it fails or takes too long.
std::optional<std::string> read_all(int descriptor) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::string text;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd readable{descriptor, POLLIN, 0};
    const int ready = poll(&readable, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    char buffer[1024];
    const ssize_t count = read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
  }
}

// Standard output of a command; nothing when it cannot be run.
std::optional<std::string> output_of(char* const arguments[]) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) {
    close(ends[0]);
    return std::nullopt;
  }
  std::optional<std::string> text = read_all(ends[0]);
  close(ends[0]);
  if (!text) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return text;
}

bool is_library(const std::string& path) { return path.find(".so") != std::string::npos; }

// The libruby that the executable `ruby` runs on.
std::optional<std::string> ask(const std::string& executable, std::string& problem) {
  std::string program = executable;
  std::string no_gems = "--disable=gems,rubyopt";
  std::string flag = "-e";
  std::string question = kQuestion;
  char* const arguments[] = {program.data(), no_gems.data(), flag.data(), question.data(), nullptr};
  std::optional<std::string> answer = output_of(arguments);
  if (!answer) {
    problem = "'" + executable + "' cannot be run";
    return std::nullopt;
  }
  while (!answer->empty() && answer->back() == '\n') answer->pop_back();
  if (answer->empty()) {
    problem = "'" + executable + "' has no shared libruby (a Ruby must be built with --enable-shared)";
    return std::nullopt;
  }
  return answer;
}

}  // namespace

std::vector<std::string> find_ruby_libraries(const std::string& interpreter, std::string& problem) {
  std::string wanted = interpreter;
  if (wanted.empty()) {
    if (const char* const variable = std::getenv("LAMBED_RUBY")) wanted = variable;
  }
  if (!wanted.empty()) {
    if (is_library(wanted)) return {wanted};
    if (const auto library = ask(wanted, problem)) return {*library};
    return {};
  }
  std::vector<std::string> libraries;
  if (const auto library = ask("ruby", problem)) libraries.push_back(*library);
  for (const char* const name : kSystemLibraries) libraries.emplace_back(name);
  return libraries;
}

}  // namespace lambed::ruby
