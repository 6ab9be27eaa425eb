// From a path on the command line to a function: what language it is in, where its handler is, what code to
// hand over.
#pragma once

#include <string>
#include <string_view>

#include "lambed/function.h"

namespace lambed::cli {

struct FunctionSource {
  Code code;
  std::string name;      // from the path, made to fit Lambda's rules for names
  std::string language;  // "python", "nodejs", "ruby"
  std::string handler;   // "lambda_function.lambda_handler"
};

// `path` is a folder, a .zip or one source file. `runtime` and `handler` are what the user said; what is
// empty is guessed. Throws CommandError, which lists what was tried.
FunctionSource find_function(const std::string& path, std::string_view runtime, const std::string& handler);

// The runtime identifier that fits an installed interpreter: "python3.11" for python and "3.11.2". Lambda has
// no ruby3.1 or older; they get the nearest one it has.
std::string runtime_for(std::string_view language, std::string_view interpreter_version);

}  // namespace lambed::cli
