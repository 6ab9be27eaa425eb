#include "worker/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "worker/launcher.h"

namespace lambed::worker {
namespace {

// The descriptor that the server passes its end of the conversation under.
constexpr int kControl = 3;

}  // namespace

int run_program(int count, char** words) {
  if (count == 3 && std::strcmp(words[1], "--server") == 0) {
    const auto server = static_cast<pid_t>(std::strtol(words[2], nullptr, 10));
    Descriptor handle(static_cast<int>(syscall(SYS_pidfd_open, server, 0)));
    // Gone already: then its number may be somebody else's by now.
    if (getppid() != server) return 0;
    // They are for the server, which shares its terminal with us and tells us by ending.
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) signal(s, SIG_IGN);
    fcntl(kControl, F_SETFD, FD_CLOEXEC);
    Launcher launcher{Descriptor(kControl), std::move(handle)};
    return launcher.run();
  }
  std::fprintf(
      stderr,
      "lambed-worker runs functions with isolation `process` for lambed, which starts it by itself; there is "
      "nothing to be done with it by hand.\n");
  return 2;
}

}  // namespace lambed::worker
