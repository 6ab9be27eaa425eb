#include "support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace lambed::testing {
namespace {

using Clock = std::chrono::steady_clock;

void close_end(int& end) {
  if (end >= 0) ::close(end);
  end = -1;
}

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  }
  ~Pipe() {
    close_end(ends[0]);
    close_end(ends[1]);
  }
  int release(int which) { return std::exchange(ends[static_cast<std::size_t>(which)], -1); }
  std::array<int, 2> ends{-1, -1};
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!variables.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Takes what there is. False at the end of the stream.
bool drain(int& end, std::string& into) {
  char buffer[65536];
  const ssize_t size = ::read(end, buffer, sizeof buffer);
  if (size > 0) into.append(buffer, static_cast<std::size_t>(size));
  if (size == 0) close_end(end);
  return size != 0;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& words, ChildOptions options)
    : input_text_(std::move(options.input)) {
  std::signal(SIGPIPE,
              SIG_IGN);  // a child may end before it has read its input; it itself starts with the default
  Pipe input;
  Pipe output;
  Pipe error;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error.ends[1], STDERR_FILENO);
  if (!options.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  // A test runner may have changed these; the child starts as from a shell.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  const std::vector<std::string> environment = environment_with(options.variables);
  const int failure = posix_spawnp(&pid_, words.at(0).c_str(), &actions, &attributes,
                                   pointers_to(words).data(), pointers_to(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) throw std::runtime_error("cannot start " + words.at(0) + ": " + std::strerror(failure));
  input_ = input.release(1);
  output_ = output.release(0);
  error_ = error.release(0);
  ::fcntl(input_, F_SETFL, O_NONBLOCK);
  // They are read only while a test waits for the child: a server that is asked often must not stop at a full pipe meanwhile.
  for (const int end : {output_, error_}) ::fcntl(end, F_SETPIPE_SZ, 1 << 20);
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close_end(input_);
  close_end(output_);
  close_end(error_);
}

bool ChildProcess::pump(std::chrono::milliseconds limit) {
  if (input_text_.empty()) close_end(input_);
  if (output_ < 0 && error_ < 0) return false;
  std::array<pollfd, 3> ends{pollfd{output_, POLLIN, 0}, pollfd{error_, POLLIN, 0},
                             pollfd{input_, POLLOUT, 0}};
  if (::poll(ends.data(), ends.size(), static_cast<int>(std::max<std::int64_t>(limit.count(), 0))) <= 0)
    return true;
  if (ends[0].revents != 0) drain(output_, end_.out);
  if (ends[1].revents != 0) drain(error_, end_.err);
  if ((ends[2].revents & POLLOUT) != 0) {
    const ssize_t written = ::write(input_, input_text_.data(), input_text_.size());
    if (written > 0) input_text_.erase(0, static_cast<std::size_t>(written));
  } else if (ends[2].revents != 0) {
    input_text_.clear();  // it does not read any more
  }
  return true;
}

bool ChildProcess::wait_for_error_text(const std::string& text, std::chrono::milliseconds limit) {
  return wait_for_text(end_.err, text, limit);
}

bool ChildProcess::wait_for_output_text(const std::string& text, std::chrono::milliseconds limit) {
  return wait_for_text(end_.out, text, limit);
}

bool ChildProcess::wait_for_text(const std::string& seen, const std::string& text,
                                 std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  while (seen.find(text) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0 || !pump(left)) return false;
  }
  return true;
}

void ChildProcess::send_signal(int signal) const { ::kill(pid_, signal); }

ChildEnd ChildProcess::wait(std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  int status = 0;
  // Asked for every 20 ms at most, besides the outputs: a grandchild may hold those open after the program
  // has ended.
  while (true) {
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) break;
    if (Clock::now() >= until) {
      end_.killed_by_test = true;
      ::kill(pid_, SIGKILL);
      while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
      break;
    }
    if (!pump(std::chrono::milliseconds(20))) ::poll(nullptr, 0, 1);
  }
  end_.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
  pid_ = -1;
  // What is still in the pipes.
  for (const auto& [end, text] : {std::pair<int*, std::string*>{&output_, &end_.out}, {&error_, &end_.err}}) {
    while (*end >= 0) {
      pollfd readable{*end, POLLIN, 0};
      if (::poll(&readable, 1, 0) <= 0 || !drain(*end, *text)) break;
    }
  }
  if (WIFEXITED(status)) end_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end_.signal = WTERMSIG(status);
  return end_;
}

ChildEnd run_program(const std::vector<std::string>& words, ChildOptions options,
                     std::chrono::milliseconds limit) {
  return ChildProcess(words, std::move(options)).wait(limit);
}

}  // namespace lambed::testing
