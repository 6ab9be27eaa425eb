#include "cli/ending_signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace lambed::cli {
namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGHUP};

// What a signal handler may touch.
std::atomic<int> received_signal{0};
std::atomic<int> wake_end{-1};
int read_end = -1;
std::array<struct sigaction, kSignals.size()> earlier;

void note(int signal) {
  const int saved_errno = errno;
  received_signal.store(signal);
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(wake_end.load(), &byte, 1);
  errno = saved_errno;
}

}  // namespace

EndingSignals::EndingSignals() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    read_end = ends[0];
    wake_end.store(ends[1]);
  }
  received_signal.store(0);
  struct sigaction action {};
  action.sa_handler = note;
  // RESETHAND: whoever presses Ctrl-C a second time wants no more closing. RESTART: handlers' own calls shall
  // not see EINTR.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &earlier[i]);
    if (earlier[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

EndingSignals::~EndingSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &earlier[i], nullptr);
  if (read_end >= 0) ::close(read_end);
  const int end = wake_end.exchange(-1);
  if (end >= 0) ::close(end);
  read_end = -1;
}

int EndingSignals::descriptor() const { return read_end; }
int EndingSignals::received() const { return received_signal.load(); }

void end_by(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);  // not reached, unless something took the signal between the two lines
}

}  // namespace lambed::cli
