// Which of the kernel's means for shutting a function in are there, on this machine and for this user.
#pragma once

#include <string>
#include <vector>

namespace lambed::cli {

struct Mechanism {
  std::string name;     // "user namespaces"
  std::string purpose;  // "file system and process isolation without root"
  bool found = false;
  std::string detail;  // what was seen, or what is missing and how to get it
};

// Asks the kernel, changes nothing. Forks a child once: call it before interpreters are started.
std::vector<Mechanism> probe_sandbox();

}  // namespace lambed::cli
