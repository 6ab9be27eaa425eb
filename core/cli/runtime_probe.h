// Which runtimes can run here, without starting an interpreter in this process: a server that has not been asked anything yet
// stays small.
#pragma once

#include <string>

namespace lambed::cli {

// "python 3.11.2 (python3.11), ruby 3.1.2 (ruby3.2)": asked of a child process, this same program. Without one (inside node):
// the languages that have a plugin.
std::string installed_runtimes();

// What that child prints.
std::string probe_runtimes();

}  // namespace lambed::cli
