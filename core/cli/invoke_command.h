// `lambed invoke`: runs one handler once.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambed::cli {

struct InvokeOptions {
  std::string path;
  std::string input;  // "-": the event comes from standard input
  std::optional<std::string> event;
  std::string event_file;
  std::string runtime;
  std::string handler;
  std::optional<int> timeout_s;
  std::optional<int> memory_mb;
  std::vector<std::string> variables;  // "KEY=VALUE"
  std::string isolation = "in_process";
  std::string quotas = "classic";
};

// Declares the options; they are filled when the program's arguments are parsed.
void declare_invoke(CLI::App& command, InvokeOptions& options);

// The exit status, or does not return: a signal that came meanwhile ends the process, and so do handlers that
// cannot be stopped, after the result was written. Throws CommandError and lambed::Error when no handler has
// answered.
int run_invoke(const InvokeOptions& options);

}  // namespace lambed::cli
