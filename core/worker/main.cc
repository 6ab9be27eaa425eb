// lambed-worker: started by lambed for functions with isolation `process`, one for each language and interpreter. Not for people.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "worker/launcher.h"

namespace {

// The descriptor that the server passes its end of the conversation under.
constexpr int kControl = 3;

}  // namespace

#if defined(LAMBED_SANITIZED) && defined(__SANITIZE_ADDRESS__)
// A worker is given no variables but its function's. Its end is its status, which the search for leaks would change; it could not
// look either, since the sandbox lets nobody trace. Interpreters map and fault as they like.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "detect_leaks=0:detect_stack_use_after_return=0:handle_segv=0:allocator_may_return_null=1:use_"
         "sigaltstack=0";
}
#endif

int main(int count, char** words) {
  if (count == 3 && std::strcmp(words[1], "--server") == 0) {
    const auto server = static_cast<pid_t>(std::strtol(words[2], nullptr, 10));
    lambed::Descriptor handle(static_cast<int>(syscall(SYS_pidfd_open, server, 0)));
    // Gone already: then its number may be somebody else's by now.
    if (getppid() != server) return 0;
    // They are for the server, which shares its terminal with us and tells us by ending.
    for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) signal(s, SIG_IGN);
    fcntl(kControl, F_SETFD, FD_CLOEXEC);
    lambed::worker::Launcher launcher{lambed::Descriptor(kControl), std::move(handle)};
    return launcher.run();
  }
  std::fprintf(
      stderr,
      "lambed-worker runs functions with isolation `process` for lambed, which starts it by itself; there is "
      "nothing to be done with it by hand.\n");
  return 2;
}
