// One execution environment: a thread, an interpreter, a loaded function.
//
// Opening -> Serving -> Ended. Everything happens on the environment's own thread (in a worker: the process's first) except interrupt, abandon and usage, which
// may come from any thread until the core's `closed` has returned.
#pragma once

#include <lambed/host.h>
#include <time.h>

#include <atomic>
#include <memory>
#include <optional>

#include "environment_settings.h"
#include "function.h"
#include "interruption.h"
#include "memory.h"
#include "output.h"
#include "python_vm.h"

namespace lambed::python {

class Environment {
 public:
  Environment(const lambed_environment_options& options, PythonVm& vm);
  ~Environment() { end_init(); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // The environment's whole life on the calling thread: ends with the core's `closed`.
  void run();

  lambed_interrupt interrupt(std::uint64_t token) { return interruption_->request(token); }
  void abandon();
  void usage(lambed_usage& usage) const;

 private:
  enum class Place { kSubInterpreter, kMainInterpreter };
  void prepare_thread();
  void prepare_process();
  void end_init();
  // Opens, serves and ends in that place. Returns false when the function turned out to need the main interpreter.
  bool serve(Place place);
  void serve_as_process();
  bool serve_in(InterpreterSession& session);
  // Until the core says close. True when the last invocation was the environment's end.
  bool serve_invocations(PythonLock& lock, Function& function);
  void tell_of_refused_module(const std::string& module, const char* consequence);
  // True when nothing of the function runs in the interpreter any more.
  bool end_threads(PythonLock& lock, const InterpreterSession& session, Function& function);
  void opened(const Outcome& outcome);
  void refuse(const std::string& why);

  const EnvironmentSettings settings_;
  PythonVm& vm_;
  const std::shared_ptr<Output> output_;
  const std::shared_ptr<Interruption> interruption_;
  const std::shared_ptr<MemoryAccount> account_;
  bool own_folder_ = false;
  bool in_init_ = true;  // of the own thread
  std::atomic<bool> abandoned_{false};
  std::atomic<clockid_t> cpu_clock_;
};

}  // namespace lambed::python

// The handle that the core holds.
struct lambed_environment {
  lambed::python::Environment environment;
};
