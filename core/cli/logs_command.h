// `lambed logs NAME [--follow]`: a function's log, asked of a running `lambed serve`.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace lambed::cli {

struct LogsOptions {
  std::string function;
  std::string server = "127.0.0.1:9001";
  std::string since;  // "5m"
  bool follow = false;
};

void declare_logs(CLI::App& command, LogsOptions& options);
// kExitOk; 2 when the server cannot be reached or has no such function. Throws CommandError.
int run_logs(const LogsOptions& options);

}  // namespace lambed::cli
