#include "signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <thread>

namespace lambed::ruby {

namespace {

constexpr size_t kMaskBytes =
    8;  // the kernel's signal set; the rest of sigset_t is whatever was on glibc's stack
constexpr int kRestorerFlag = 0x04000000;  // set by glibc itself
constexpr std::chrono::milliseconds kPulse{2};

bool differs(const struct sigaction& a, const struct sigaction& b) {
  return a.sa_handler != b.sa_handler || (a.sa_flags & ~kRestorerFlag) != (b.sa_flags & ~kRestorerFlag) ||
         std::memcmp(&a.sa_mask, &b.sa_mask, kMaskBytes) != 0;
}

constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

bool is_fault(int signal) {
  return std::find(std::begin(kFaults), std::end(kFaults), signal) != std::end(kFaults);
}

// A detached thread with a small stack; false when there is none to be had.
bool start_thread(void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, size_t{64} << 10);
  pthread_t thread{};
  const int failed = pthread_create(&thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return failed == 0;
}

struct Watched {
  pid_t child;
  void (*handler)(int, siginfo_t*, void*);
};

void* wait_for_child(void* argument) {
  auto* const watched = static_cast<Watched*>(argument);
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(watched->child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  watched->handler(SIGCHLD, &info,
                   nullptr);  // safe in any thread, as signal handlers must be: it sets flags and wakes Ruby
  delete watched;
  return nullptr;
}

}  // namespace

void block_application_signals() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : kFaults) sigdelset(&blocked, fault);
  sigdelset(&blocked, SIGVTALRM);
  pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

void unblock_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  const timespec now{};
  while (sigtimedwait(&signals, nullptr, &now) == SIGPIPE) {
  }
  sigemptyset(&signals);
  pthread_sigmask(SIG_SETMASK, &signals, nullptr);
}

void adopt_signals_of_child() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGVTALRM || is_fault(signal)) continue;
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_IGN) continue;
    struct sigaction by_default {};
    sigaction(signal, &by_default, nullptr);  // refused for SIGKILL and SIGSTOP, which is right
  }
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_SETMASK, &pipe, nullptr);
}

SignalDispositions::SignalDispositions() {
  for (int signal = 1; signal < static_cast<int>(actions_.size()); ++signal) {
    sigaction(signal, nullptr, &actions_[static_cast<size_t>(signal)]);
  }
}

void SignalDispositions::restore_all_but_vtalrm() const {
  for (int signal = 1; signal < static_cast<int>(actions_.size()); ++signal) {
    if (signal == SIGVTALRM || signal == SIGKILL || signal == SIGSTOP) continue;
    const struct sigaction& before = actions_[static_cast<size_t>(signal)];
    struct sigaction now {};
    if (sigaction(signal, nullptr, &now) == 0 && differs(before, now)) sigaction(signal, &before, nullptr);
  }
}

TimersWithheld::TimersWithheld() {
  // A timer needs room for the signal that it will send.
  if (getrlimit(RLIMIT_SIGPENDING, &before_) == 0) {
    const rlimit none = {0, before_.rlim_max};
    setrlimit(RLIMIT_SIGPENDING, &none);
  }
  errors_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  if (errors_ >= 0) dup2(nowhere, STDERR_FILENO);
  close(nowhere);
}

TimersWithheld::~TimersWithheld() {
  setrlimit(RLIMIT_SIGPENDING, &before_);
  if (errors_ < 0) return;
  dup2(errors_, STDERR_FILENO);
  close(errors_);
}

void ChildWatch::adopt_ruby_handler() {
  struct sigaction now {};
  if (sigaction(SIGCHLD, nullptr, &now) != 0) return;
  // Ruby registers it with SA_SIGINFO; sa_handler and sa_sigaction share their place.
  if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) ruby_handler_ = now.sa_sigaction;
}

void ChildWatch::watch(pid_t child) const {
  if (ruby_handler_ == nullptr) return;
  auto* const watched = new Watched{child, ruby_handler_};
  if (!start_thread(wait_for_child, watched)) delete watched;
}

void ChildWatch::begin_spawn() {
  if (ruby_handler_ == nullptr || spawning_++ > 0) return;
  start_thread(
      [](void* self) -> void* {
        auto* const watch = static_cast<ChildWatch*>(self);
        while (watch->spawning_ > 0) {
          std::this_thread::sleep_for(kPulse);
          watch->ruby_handler_(SIGCHLD, nullptr, nullptr);
        }
        return nullptr;
      },
      this);
}

void ChildWatch::end_spawn() {
  if (ruby_handler_ != nullptr) --spawning_;
}

}  // namespace lambed::ruby
