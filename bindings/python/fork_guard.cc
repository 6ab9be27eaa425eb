#include "fork_guard.h"

#include <Python.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace lambed::bindings {
namespace {

// Where CPython keeps `head` and `main` of its list of interpreters, side by side. The structure around them, _PyRuntime, is
// laid out anew in each version, so they are looked for by what they hold.
class InterpreterList {
 public:
  static InterpreterList find() {
    void* const runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
    Dl_info info{};
    ElfW(Sym)* symbol = nullptr;
    if (runtime == nullptr ||
        dladdr1(runtime, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0 || symbol == nullptr)
      return InterpreterList(nullptr);
    auto** const words = static_cast<PyInterpreterState**>(runtime);
    const std::size_t count = symbol->st_size / sizeof *words;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const InterpreterList candidate(words + i);
      if (candidate.holds()) return candidate;
    }
    return InterpreterList(nullptr);
  }

  // A place that only happened to hold the same two pointers is told from the list by now: with sub-interpreters alive, the head
  // is the newest of them. When in doubt nothing is written, and the child is as badly off as CPython leaves it.
  void forget_sub_interpreters() const {
    if (words_ != nullptr && holds()) words_[0] = words_[1];
  }

 private:
  explicit InterpreterList(PyInterpreterState** words) : words_(words) {}
  bool holds() const {
    return words_[0] == PyInterpreterState_Head() && words_[1] == PyInterpreterState_Main();
  }
  PyInterpreterState** words_;
};

struct ForkState {
  InterpreterList interpreters = InterpreterList::find();
  bool is_child = false;
};
ForkState* g_state = nullptr;  // written with the GIL held, never freed: processes end in many ways

// Within fork(), in the child: there is no other thread, and Python has not touched anything yet.
void in_child() {
  g_state->is_child = true;
  g_state->interpreters.forget_sub_interpreters();
}

void leave(int status, void*) {
  if (!g_state->is_child) return;
  std::fflush(nullptr);
  _exit(status);
}

}  // namespace

void prepare_for_fork() {
  if (g_state != nullptr) return;
  g_state = new ForkState;
  pthread_atfork(nullptr, nullptr, in_child);
  on_exit(leave, nullptr);
}

}  // namespace lambed::bindings
