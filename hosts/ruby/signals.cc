#include "signals.h"

#include <pthread.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

namespace lambed::ruby {

namespace {

bool differs(const struct sigaction& a, const struct sigaction& b) {
  return a.sa_handler != b.sa_handler || a.sa_flags != b.sa_flags ||
         std::memcmp(&a.sa_mask, &b.sa_mask, sizeof(a.sa_mask)) != 0;
}

struct Watched {
  pid_t child;
  void (*handler)(int);
};

void* wait_for_child(void* argument) {
  auto* const watched = static_cast<Watched*>(argument);
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(watched->child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  watched->handler(SIGCHLD);  // safe in any thread, as signal handlers must be: it sets flags and wakes Ruby
  delete watched;
  return nullptr;
}

}  // namespace

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

void ChildWatch::adopt_ruby_handler() {
  struct sigaction now {};
  if (sigaction(SIGCHLD, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0) return;
  if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) ruby_handler_ = now.sa_handler;
}

void ChildWatch::watch(pid_t child) const {
  if (ruby_handler_ == nullptr) return;
  auto* const watched = new Watched{child, ruby_handler_};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, size_t{64} << 10);
  pthread_t thread{};
  if (pthread_create(&thread, &attributes, wait_for_child, watched) != 0) delete watched;
  pthread_attr_destroy(&attributes);
}

}  // namespace lambed::ruby
