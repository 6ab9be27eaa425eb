// What the `lambed` program tells its caller, and how it ends early.
#pragma once

#include <stdexcept>
#include <string>

namespace lambed::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFunctionError = 1,  // the handler, or its runtime, failed; doctor: something is missing
  kExitFailed = 2          // usage or invocation error: no handler has answered
};

// Ends a command with kExitFailed. The text names the file or option, the cause and the remedy.
class CommandError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lambed::cli
