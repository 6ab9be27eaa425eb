// What Ruby does to the process's signals, and how it is undone.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <signal.h>

#include <array>
#include <atomic>

namespace lambed::ruby {

// The signals of the application are for the application's threads: a thread that blocks one in order to wait for it must get
// it. So Ruby's threads block all but those that a fault raises and SIGVTALRM. SIGPIPE is among the blocked: a write to a
// closed pipe or socket gives Errno::EPIPE, whatever the application has made of that signal.
//
// For the VM's thread, after ruby_setup, which empties its mask. Threads made by it inherit the mask.
void block_application_signals();
// For a thread that is about to start another program, which inherits the mask: nothing is blocked. Drops a SIGPIPE that an
// earlier write has left pending, since it would be delivered now.
void unblock_signals();
// In a child made by fork, which goes on running Ruby: it can be ended by signals as any process, but not by SIGPIPE, and
// handlers of the application are not run there.
void adopt_signals_of_child();

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

// While one lives, Ruby gets no timer from the system, and its warning about that goes nowhere.
//
// Ruby 2.6 to 3.1 makes a timer when it is set up. A copy of the process has none any more, and cannot make another one, since Ruby
// ends the process when it finds that it believes to have one. A VM that never had a timer makes one when it is told to.
class TimersWithheld {
 public:
  TimersWithheld();
  ~TimersWithheld();
  TimersWithheld(const TimersWithheld&) = delete;
  TimersWithheld& operator=(const TimersWithheld&) = delete;

 private:
  rlimit before_{};
  int errors_ = -1;  // descriptor 2 as it was
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
