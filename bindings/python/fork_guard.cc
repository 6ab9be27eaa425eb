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

// The members `head` and `main` of _PyRuntime.interpreters, which lie side by side in all versions, though not at one place.
PyInterpreterState** g_head = nullptr;

PyInterpreterState** find_head() {
  void* const runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
  if (runtime == nullptr) return nullptr;
  Dl_info info{};
  ElfW(Sym)* symbol = nullptr;
  if (dladdr1(runtime, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) == 0 || symbol == nullptr)
    return nullptr;
  auto** const words = static_cast<PyInterpreterState**>(runtime);
  const std::size_t count = symbol->st_size / sizeof *words;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (words[i] == PyInterpreterState_Head() && words[i + 1] == PyInterpreterState_Main()) return words + i;
  }
  return nullptr;
}

// In the child, within fork(): there is no other thread.
void forget_sub_interpreters() {
  if (g_head == nullptr || g_head[0] != PyInterpreterState_Head() || g_head[1] != PyInterpreterState_Main())
    return;
  g_head[0] = g_head[1];
}

bool g_used = false;       // written with the GIL held
bool g_is_orphan = false;  // forked from a process that had used a gateway

void mark_orphan() {
  if (g_used) g_is_orphan = true;
}

void leave_orphan(int status, void*) {
  if (!g_is_orphan) return;
  std::fflush(nullptr);
  _exit(status);
}

}  // namespace

void end_forked_children_early() {
  if (g_used) return;
  g_used = true;
  pthread_atfork(nullptr, nullptr, mark_orphan);
  on_exit(leave_orphan, nullptr);
}

void make_fork_return_with_sub_interpreters() {
  if (g_head != nullptr) return;
  g_head = find_head();
  if (g_head != nullptr) pthread_atfork(nullptr, nullptr, forget_sub_interpreters);
}

}  // namespace lambed::bindings
