// What Ruby does to the process's signals, and how it is undone.
#pragma once

#include <sys/types.h>

#include <signal.h>

#include <array>
#include <atomic>

namespace lambed::ruby {

// The dispositions of all signals at one time.
class SignalDispositions {
 public:
  SignalDispositions();
  // Puts back what has changed since: handler, flags and mask are compared, because ruby_setup also drops SA_RESETHAND from
  // handlers that it leaves in place. SIGVTALRM stays Ruby's: it interrupts its threads' system calls.
  void restore_all_but_vtalrm() const;

 private:
  std::array<struct sigaction, 65> actions_{};
};

// Ruby up to 3.2 waits for children by its own SIGCHLD handler. That signal belongs to the application (node replaces the
// handler at its first child process, after which Ruby's backticks would hang for ever), so Ruby's handler is taken out of
// the signal's way and called from a thread that waits for each child of a function instead.
class ChildWatch {
 public:
  // After ruby_setup, before the dispositions are restored.
  void adopt_ruby_handler();
  // Wakes Ruby when this child can be waited for. Any thread.
  void watch(pid_t child) const;
  // Around the start of a child. Ruby waits by itself for one that cannot execute its program; nobody learns its id.
  void begin_spawn();
  void end_spawn();

 private:
  void (*ruby_handler_)(int, siginfo_t*, void*) = nullptr;
  std::atomic<int> spawning_{0};
};

}  // namespace lambed::ruby
