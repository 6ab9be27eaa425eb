// Which Python this host runs: from an executable's path to the libpython that belongs to it.
#pragma once

#include <string>

namespace lambed::python {

struct Interpreter {
  std::string program;  // the executable whose prefix, virtual environment and site-packages count
  std::string library;  // its libpython, for dlopen
};

struct InterpreterSearch {
  Interpreter found;    // meaningful when `failure` is empty
  std::string failure;  // what was looked at, why it does not do and what to do about it
  std::string notice;   // why it was not the first python3 on PATH
};

// `wanted` is the path of an executable or of a libpython, or empty: then LAMBED_PYTHON decides, then the first python3 on
// PATH that has a libpython of 3.11 or newer. May run the executables; blocks at most a few seconds for each.
InterpreterSearch find_interpreter(const std::string& wanted);

}  // namespace lambed::python
