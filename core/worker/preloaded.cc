// lambed-worker inside another program, `node`: an interpreter that exists as an executable only, whose functions a plugin finds
// there. lambed starts that program with this library in LD_PRELOAD. Its own initialisers run as ever; in place of its main()
// runs the launcher, as the process's one thread: the program has started none before main().
#include <dlfcn.h>
#include <stdlib.h>

#include "worker/program.h"

namespace {

using Main = int (*)(int, char**, char**);
using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

int run_launcher(int count, char** words, char**) {
  unsetenv("LD_PRELOAD");  // for this process alone
  return lambed::worker::run_program(count, words);
}

}  // namespace

// What the C library's start-up code of every program calls, with that program's main().
extern "C" __attribute__((visibility("default"))) int __libc_start_main(Main, int count, char** words,
                                                                        void (*init)(), void (*fini)(),
                                                                        void (*loader_fini)(), void* stack) {
  const auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
  return start(run_launcher, count, words, init, fini, loader_fini, stack);
}
