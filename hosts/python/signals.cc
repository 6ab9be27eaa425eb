#include "signals.h"

#include <time.h>

namespace lambed::python {

AllSignalsBlocked::AllSignalsBlocked() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
    sigdelset(&blocked, fault);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

AllSignalsBlocked::~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

SignalsForChildren::SignalsForChildren() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const timespec now = {0, 0};
  while (sigtimedwait(&pipe, nullptr, &now) == SIGPIPE) {
  }
  // Only synchronous and child-related meaning matters to a child; here, process-directed signals of the application may
  // be delivered to this thread for the short time until the mask is put back, which runs its handlers as ever.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &before_);
}

SignalsForChildren::~SignalsForChildren() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

SignalDispositions::SignalDispositions() {
  for (int signal = 1; signal < 65; ++signal) {
    if (sigaction(signal, nullptr, &before_[static_cast<std::size_t>(signal)]) != 0) {
      before_[static_cast<std::size_t>(signal)].sa_handler = SIG_ERR;
    }
  }
}

SignalDispositions::~SignalDispositions() {
  for (int signal = 1; signal < 65; ++signal) {
    const struct sigaction& before = before_[static_cast<std::size_t>(signal)];
    if (before.sa_handler == SIG_ERR || signal == SIGKILL || signal == SIGSTOP) continue;
    struct sigaction now = {};
    if (sigaction(signal, nullptr, &now) != 0) continue;
    if (now.sa_handler != before.sa_handler || now.sa_flags != before.sa_flags)
      sigaction(signal, &before, nullptr);
  }
}

}  // namespace lambed::python
