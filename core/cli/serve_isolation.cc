#include "cli/serve_isolation.h"

#include <fmt/format.h>

#include "cli/exit_codes.h"
#include "environments/process/worker_program.h"
#include "environments/sandbox/enforcement.h"

namespace lambed::cli {
namespace {

constexpr char kWithout[] = "`--isolation in_process` runs functions inside the server instead, unprotected.";

}  // namespace

std::string isolation_of(const ServeOptions& options) {
  if (options.isolation != "process")
    return "  isolation  in_process: functions run inside this process and can do what it can\n";
  if (const auto program = process::find_worker_program(); !program.ok())
    throw CommandError(fmt::format("{} {}", program.error().message(), kWithout));
  const auto layer = sandbox::best_layer();
  if (!layer.ok()) throw CommandError(fmt::format("{} {}", layer.error().message(), kWithout));
  const std::vector<std::string> soft = sandbox::not_hard_in(*layer);
  if (options.require_isolation == "strict" && !soft.empty()) {
    throw CommandError(
        fmt::format("--require-isolation strict: the best sandbox that can be had here is \"{}\", which does "
                    "not enforce hard: {}. "
                    "`lambed doctor` says what keeps a better one from working.",
                    sandbox::name_of(*layer), fmt::join(soft, "; ")));
  }
  std::string text = fmt::format("  isolation  process: each environment is a sandboxed process ({})\n",
                                 sandbox::name_of(*layer));
  if (!soft.empty())
    text +=
        fmt::format("             {} of its limits are not hard: `lambed doctor` names them\n", soft.size());
  return text;
}

}  // namespace lambed::cli
