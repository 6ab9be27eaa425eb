// SIGINT, SIGTERM and SIGHUP as something to wait for, so that a command can close what it has opened and
// then end by that same signal, as its caller expects.
#pragma once

#include <chrono>

namespace lambed::cli {

// One object at a time in a process. Signals that were ignored when the program started (nohup) stay ignored.
class EndingSignals {
 public:
  EndingSignals();
  ~EndingSignals();  // gives the signals their earlier handling back
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

  // Readable once a signal has come.
  int descriptor() const;
  // The signal that has come; 0: none. After the first one, the next ends the program at once.
  int received() const;
};

// Ends the process by `signal`, whatever is blocked or handled.
[[noreturn]] void end_by(int signal);

}  // namespace lambed::cli
