// What a handler can do to its whole process. For functions with isolation `process`, where that ends a worker; in this process
// it would end the test.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "environment.h"

namespace scripted {
namespace {

void write_all(int descriptor, const std::string& text) {
  if (write(descriptor, text.data(), text.size()) < 0) std::abort();
}

// Writes ones over everything that it shares with others by a memfd.
void scribble() {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  if (maps == nullptr) return;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long from = 0;
    unsigned long to = 0;
    if (std::strstr(line, "memfd:lambed") != nullptr && std::sscanf(line, "%lx-%lx", &from, &to) == 2)
      std::memset(reinterpret_cast<void*>(from), 0xff, to - from);
  }
  std::fclose(maps);
}

void touch_memory(long megabytes) {
  for (long i = 0; i < megabytes; ++i) {
    auto* block = static_cast<char*>(std::malloc(1 << 20));
    if (block == nullptr) std::abort();
    std::memset(block, 1, 1 << 20);
  }
}

void run_child(const std::string& words) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", ("echo " + words).c_str(), nullptr);
    _exit(127);
  }
  waitpid(child, nullptr, 0);
}

// 0 when a socket of that type could be connected to "ADDRESS:PORT", else errno.
int connect_to(int type, const std::string& place) {
  const std::size_t colon = place.find(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(std::atoi(place.c_str() + colon + 1)));
  inet_pton(AF_INET, place.substr(0, colon).c_str(), &address.sin_addr);
  const int socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const int error = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(socket);
  return error;
}

}  // namespace

bool Environment::deed_step(const Step& step, Answer& answer) {
  const std::string argument(step.argument);
  if (step.verb == "real-exit") {
    std::exit(static_cast<int>(number(argument)));
  } else if (step.verb == "real-signal") {
    ::kill(getpid(), static_cast<int>(number(argument)));
    for (;;) pause();
  } else if (step.verb == "real-abort") {
    std::abort();
  } else if (step.verb == "fd1") {
    write_all(STDOUT_FILENO, argument + "\n");
  } else if (step.verb == "fd2") {
    write_all(STDERR_FILENO, argument + "\n");
  } else if (step.verb == "child") {
    run_child(argument);
  } else if (step.verb == "offspring") {
    // Processes that leave their parent's group and session and ignore what they can.
    for (long i = 0; i < number(argument); ++i) {
      if (fork() != 0) continue;
      setsid();
      signal(SIGTERM, SIG_IGN);
      for (;;) pause();
    }
  } else if (step.verb == "touch") {
    touch_memory(number(argument));
  } else if (step.verb == "scribble") {
    scribble();
  } else if (step.verb == "exit-after") {
    std::thread([milliseconds = number(argument)] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      _exit(9);
    }).detach();
  } else if (step.verb == "pid") {
    answer.payload = std::to_string(getpid());
  } else if (step.verb == "cwd") {
    std::vector<char> folder(4096);
    answer.payload = quoted(getcwd(folder.data(), folder.size()) == nullptr ? "" : folder.data());
  } else if (step.verb == "environ") {
    const char* value = std::getenv(argument.c_str());
    answer.payload = value == nullptr ? "null" : quoted(value);
  } else if (step.verb == "tcp" || step.verb == "udp") {
    answer.payload = std::to_string(connect_to(step.verb == "tcp" ? SOCK_STREAM : SOCK_DGRAM, argument));
  } else {
    return false;
  }
  return true;
}

}  // namespace scripted
