// `lambed dlq list|show|redrive|purge`: the table of dead letters of a running `lambed serve`.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambed::cli {

struct DlqOptions {
  std::string server = "127.0.0.1:9001";
  std::vector<std::string> ids;
  std::string function;
  bool all = false;
  bool json = false;
  int limit = 0;  // 0: all of them

  CLI::App* list = nullptr;  // which of them was given
  CLI::App* show = nullptr;
  CLI::App* redrive = nullptr;
  CLI::App* purge = nullptr;
};

void declare_dlq(CLI::App& command, DlqOptions& options);
// kExitOk; kExitFunctionError when some of those to be redriven were refused, which standard error names. Throws CommandError.
int run_dlq(const DlqOptions& options);

}  // namespace lambed::cli
