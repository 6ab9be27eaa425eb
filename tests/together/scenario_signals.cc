// The application's signal handlers stay its own.
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace lambed::together {
namespace {

volatile sig_atomic_t interrupts = 0;
volatile sig_atomic_t terminations = 0;
volatile sig_atomic_t ended_children = 0;

void on_interrupt(int) { interrupts = interrupts + 1; }
void on_termination(int, siginfo_t*, void*) { terminations = terminations + 1; }
void on_child(int, siginfo_t*, void*) { ended_children = ended_children + 1; }

// SA_RESTORER, by which glibc names its own return from handlers to the kernel. It adds it in each call of sigaction, also in
// one that puts back SIG_DFL, and shows it afterwards: no application sets it, and none can take it away.
constexpr int kRestorerFlag = 0x04000000;

// What every signal does, and what this thread blocks.
class SignalState {
 public:
  SignalState() {
    for (int s = 1; s < NSIG; ++s) known_[at(s)] = sigaction(s, nullptr, &actions_[at(s)]) == 0;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked_);
  }

  // Throws Failure naming the first signal but `except` that is not as in `before`.
  void expect_as(const SignalState& before, const std::vector<int>& except, const std::string& when) const {
    for (int s = 1; s < NSIG; ++s) {
      if (!known_[at(s)] || std::find(except.begin(), except.end(), s) != except.end()) continue;
      const std::string name = std::string(strsignal(s)) + " " + when;
      expect(actions_[at(s)].sa_sigaction == before.actions_[at(s)].sa_sigaction,
             "another handler of " + name);
      expect((actions_[at(s)].sa_flags | kRestorerFlag) == (before.actions_[at(s)].sa_flags | kRestorerFlag),
             "other flags of " + name);
      expect(sigismember(&blocked_, s) == sigismember(&before.blocked_, s), "another mask for " + name);
    }
  }

 private:
  static std::size_t at(int s) { return static_cast<std::size_t>(s); }
  std::array<struct sigaction, NSIG> actions_{};
  std::array<bool, NSIG> known_{};
  sigset_t blocked_{};
};

void install(int signal, int flags, void (*plain)(int), void (*with_info)(int, siginfo_t*, void*) = nullptr) {
  struct sigaction action {};
  action.sa_flags = flags;
  if (with_info != nullptr) {
    action.sa_sigaction = with_info;
    action.sa_flags |= SA_SIGINFO;
  } else {
    action.sa_handler = plain;
  }
  sigaction(signal, &action, nullptr);
}

bool has_default(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_DFL;  // SA_RESETHAND puts it there and leaves SA_SIGINFO as it was
}

// Ruby interrupts system calls of its threads by SIGVTALRM and says so; SIGCHLD is shared (signal_broker.h).
const std::vector<int> kNotOurs = {SIGVTALRM, SIGCHLD};

void wait_for_own_child() {
  const std::array<char*, 4> words = {const_cast<char*>("sh"), const_cast<char*>("-c"),
                                      const_cast<char*>("exit 7"), nullptr};
  pid_t child = -1;
  expect(posix_spawn(&child, "/bin/sh", nullptr, nullptr, words.data(), environ) == 0, "posix_spawn");
  int status = 0;
  expect(waitpid(child, &status, 0) == child, "somebody else collected the application's child");
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "another status of the application's child");
}

}  // namespace

void keeps_signals(const Order& order) {
  install(SIGINT, SA_RESTART, on_interrupt);
  install(SIGTERM, SA_RESETHAND | SA_NODEFER, nullptr, on_termination);
  install(SIGUSR1, SA_RESETHAND, on_interrupt);
  install(SIGHUP, 0, SIG_IGN);
  install(SIGCHLD, SA_RESTART | SA_NOCLDSTOP, nullptr, on_child);
  const SignalState before;
  Polyglot all;
  for (const std::string& language : order) {
    all.start(language);
    SignalState().expect_as(before, kNotOurs, "after the start of " + language);
  }
  const auto expect_called = [&](const std::string& whose, const auto& run) {
    const int known = ended_children;
    run();
    await("the application's handler of SIGCHLD at the end of a child of " + whose,
          [&] { return ended_children > known; });
  };
  // Twice: an interpreter may touch signals at its first child only.
  for (int round = 0; round < 2; ++round) {
    for (const std::string& language : order) {
      expect_called(language, [&] { all.call(language, "run", {{"command", "exit 3"}}); });
      SignalState().expect_as(before, kNotOurs, "after a child of " + language);
      expect_called("the application", wait_for_own_child);
    }
  }
  raise(SIGINT);
  raise(SIGUSR1);
  expect(interrupts == 2,
         "the application's own handlers were called " + std::to_string(interrupts) + " times");
  kill(getpid(), SIGTERM);
  await("the handler of SIGTERM", [] { return terminations == 1; });
  expect(has_default(SIGTERM) && has_default(SIGUSR1), "SA_RESETHAND had no effect");
}

void keeps_default_signals(const Order& order) {
  const SignalState before;
  Polyglot all;
  for (const std::string& language : order) {
    all.start(language);
    all.call(language, "run", {{"command", "true"}});
    SignalState().expect_as(before, kNotOurs, "after the start of " + language);
  }
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT}) {
    expect(has_default(signal), std::string("there is a handler of ") + strsignal(signal));
  }
  all.close();
  SignalState().expect_as(before, kNotOurs, "after close");
}

}  // namespace lambed::together
