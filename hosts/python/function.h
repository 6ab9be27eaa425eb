// A function loaded into an interpreter: its handler, and the way of an event to a result.
#pragma once

#include <lambed/host.h>

#include <cstdint>
#include <memory>
#include <string>

#include "environment_settings.h"
#include "interpreter_session.h"
#include "lambda_context.h"
#include "native_module.h"
#include "python_api.h"

namespace lambed::python {

// lambed_outcome with owners.
struct Outcome {
  lambed_outcome_kind kind = LAMBED_OUTCOME_SUCCESS;
  std::uint32_t flags = 0;
  int exit_code = 0;
  int term_signal = 0;
  std::string payload;
  std::string error_type;
};

// Where an exception came from: it decides about the error document.
enum class Phase { kInit, kUnmarshal, kHandler, kMarshal };

// Belongs to the environment's thread. Must be destroyed with the interpreter's lock held.
class Function {
 public:
  Function(const EnvironmentSettings& settings, std::shared_ptr<NativeState> state, PythonVm& vm);

  // Sets the interpreter up for the function and imports the handler: once.
  Outcome load(PythonLock& lock, const InterpreterSession& session, bool own_folder);
  // Runs one invocation and completes it. Returns true when the environment must not be used again.
  bool invoke(PythonLock& lock, const lambed_invocation& invocation);
  // Before the interpreter is left: wakes idle threads, forgets the function in the main interpreter.
  void stop_threads(PythonLock& lock);
  void forget(PythonLock& lock);

 private:
  struct Result;
  Ref decode(PythonLock& lock, lambed_slice event);
  Ref make_arguments_context(PythonLock& lock, const lambed_invocation& invocation);
  void set_request(PythonLock& lock, const lambed_invocation& invocation);
  void set_trace(PythonLock& lock, lambed_slice trace_id);
  bool encode(PythonLock& lock, PyObject* value, Result& result);
  // Takes over the exception that is set and says what it means for the caller.
  Outcome outcome_of_exception(PythonLock& lock, Phase phase, Ref exception, Stopped stopped);
  Outcome stopped_outcome() const;
  std::string prepare(PythonLock& lock, const InterpreterSession& session, bool own_folder);
  Ref member(PythonLock& lock, const char* name) const;
  [[noreturn]] void leave_forked_process(PythonLock& lock, Ref error);
  void complete(const lambed_invocation& invocation, const Outcome& outcome, lambed_slice payload);

  const EnvironmentSettings& settings_;
  std::shared_ptr<NativeState> state_;
  PythonVm& vm_;

  Ref globals_;  // the bootstrap's
  Ref handler_;
  Ref scan_once_;
  Ref encoder_;
  Ref decimal_marks_;
  Ref describe_;
  Ref make_client_context_;
  Ref idle_;
  Ref context_class_;
  Ref zero_;
  Ref nothing_;  // ""
  Ref bytes_type_;
  Ref variables_;        // os.environ's own dictionary
  Ref child_variables_;  // C's, as child processes of the function see it
  Ref trace_name_;
  ContextConstants constants_;

  std::string last_arn_;
  Ref last_arn_text_;
  std::string last_trace_id_;
};

}  // namespace lambed::python
