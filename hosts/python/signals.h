// The process's signals belong to the application: this host's threads take none, and change no disposition.
#pragma once

#include <signal.h>

#include <array>

namespace lambed::python {

// Blocks every signal in this thread but those that a fault raises. Threads made meanwhile inherit that. SIGPIPE is among
// the blocked: writing to a closed socket gives EPIPE instead of killing the application.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked();
  ~AllSignalsBlocked();
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
};

// The mask that child processes of handlers shall have: nothing blocked. Drops a SIGPIPE that is pending on this thread
// first, which unblocking would deliver.
class SignalsForChildren {
 public:
  SignalsForChildren();
  ~SignalsForChildren();
  SignalsForChildren(const SignalsForChildren&) = delete;
  SignalsForChildren& operator=(const SignalsForChildren&) = delete;

 private:
  sigset_t before_;
};

// All dispositions as they were at construction are put back at destruction.
class SignalDispositions {
 public:
  SignalDispositions();
  ~SignalDispositions();
  SignalDispositions(const SignalDispositions&) = delete;
  SignalDispositions& operator=(const SignalDispositions&) = delete;

 private:
  std::array<struct sigaction, 65> before_;
};

}  // namespace lambed::python
