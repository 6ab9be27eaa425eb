// Stopping what an environment runs, from any thread, without ever waiting for the interpreter's lock on that thread.
#pragma once

#include <lambed/host.h>

#include <time.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "interpreter_session.h"
#include "lock_sharing.h"
#include "python_api.h"

namespace lambed::python {

// How an environment's code came to ask for the end of its process.
struct ExitRequest {
  bool requested = false;
  int exit_code = 0;
  int term_signal = 0;
};

// What interrupting did to something that has ended by now.
enum class Stopped {
  kNo,
  kTooLate,  // it was asked for, but nothing was raised before the end
  kRaised,   // the code met our exception, or may have
};

// One for each environment, shared with the threads that do the interrupting.
class Interruption : public LockHolder, public std::enable_shared_from_this<Interruption> {
 public:
  ~Interruption() override;

  // ---- The environment's thread.

  // Something stoppable begins: an invocation, or init as token 0.
  void begin(std::uint64_t token);
  // It has ended. After this no exception of ours arrives any more. No exception may be set.
  Stopped end(PythonLock& lock);
  // The interpreter that interruptions go to, from now until `detach`. `stop_exception` is the class of what is raised: a
  // BaseException that handlers have no name for. `idle` is a function in Python that does nothing. Both are borrowed.
  void attach(PythonLock& lock, const InterpreterSession& session, PyObject* stop_exception, PyObject* idle);
  // Waits, without the lock, until no interrupting thread is in the interpreter.
  void detach(PythonLock& lock);
  // True when an interruption was asked for before the interpreter existed.
  bool is_requested() const;

  // After `detach`: a thread that does not end keeps the interpreter for good, and must go on giving way to others.
  void stay();
  // The calling thread is one of the function's own, which may run between invocations, too.
  void note_thread();

  // ---- Threads of the interpreter, with its lock.

  // os._exit and its kin: raises in all threads of the interpreter until nothing of the function runs any more.
  void exit_now(PythonLock& lock, int exit_code, int term_signal);
  ExitRequest exit_request() const;
  // Raises in all threads of the interpreter, line after line. Nothing may wait to be raised by other means: `withdraw`.
  void raise_everywhere(PythonLock& lock);

  // ---- Any thread.

  // The first call raises once; later ones raise at every line, which also stops code that swallows everything.
  lambed_interrupt request(std::uint64_t token);
  // By the strongest means, whatever runs.
  void request_everything();
  void give_way() override;

 private:
  lambed_interrupt start_interrupting();  // mutex_ is held
  void interrupt_in_thread(std::uint64_t token);
  void visit_in_thread();
  // A thread, and how much of the processor it had used in ns when `give_way` was called last.
  struct Runner {
    clockid_t clock = 0;
    std::int64_t used = 0;
  };
  // False as well when the thread has ended, and then `ended` is set.
  static bool has_used_its_turn(Runner& runner, bool& ended);
  std::int64_t processor_time() const;  // of the environment's thread in ns; mutex_ is held
  bool have_threads_used_their_turn();  // mutex_ is held
  // Takes back an exception that was set and not raised yet. May let go of the interpreter's lock for a while.
  void withdraw(PythonLock& lock);

  mutable std::mutex mutex_;  // guards everything below; taken after the interpreter's lock, never before
  std::condition_variable changed_;
  PyInterpreterState* interpreter_ = nullptr;  // still meant after `detach`: threads may be left in it
  bool attached_ = false;                      // interrupting threads may enter interpreter_
  unsigned long thread_ = 0;                   // Python's identifier of the environment's thread
  PyObject* stop_exception_ = nullptr;
  PyObject* idle_ = nullptr;
  bool active_ = false;
  std::uint64_t token_ = 0;
  int requests_ = 0;                  // for the present token
  std::int64_t used_at_request_ = 0;  // processor_time() at the first of them
  std::uint64_t early_token_ = 0;     // asked to stop before its `begin`
  int early_requests_ = 0;
  bool abandoned_ = false;       // whatever begins is stopped
  bool raised_ = false;          // an exception of ours was set for the present token
  bool interrupting_ = false;    // an interrupting thread is under way
  bool visiting_ = false;        // a thread that only wants its turn is under way
  std::vector<Runner> threads_;  // of the function; some may have ended
  std::uint64_t begins_ = 0;
  std::uint64_t begins_seen_ = 0;  // when `give_way` was called last
  Runner own_;                     // the environment's thread; only while has_clock_
  bool has_clock_ = false;
  ExitRequest exit_;
};

}  // namespace lambed::python
