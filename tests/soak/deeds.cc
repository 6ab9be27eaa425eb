#include "soak/deeds.h"

#include <nlohmann/json.hpp>

namespace lambed::soak {
namespace {

using nlohmann::json;

constexpr std::string_view kExit = "Runtime.ExitError";
constexpr std::string_view kTimeout = "Sandbox.Timedout";
constexpr std::string_view kTooLarge = "Function.ResponseSizeTooLarge";

const std::vector<Deed> kGood = {{"answer", "", ""},
                                 {"big", "", ""},
                                 {"wait", "", ""},
                                 {"child", "", "", Cost::kHeavy},
                                 {"chatter", "", "", Cost::kHeavy}};

Deed slow(std::string_view name) {
  return {name, kTimeout, "Task timed out after 1.00 seconds", Cost::kSlow};
}

Deed in_process(Deed deed) {
  deed.where = Where::kInProcess;
  return deed;
}

Deed or_timeout(Deed deed) {
  deed.may_time_out = true;
  return deed;
}

Deed or_killed(Deed deed) {
  deed.may_be_killed = true;
  return deed;
}

Deed in_workers(Deed deed) {
  deed.where = Where::kInWorkers;
  return deed;
}

Language python() {
  return {
      "python",
      "python3.11",
      "app.py",
      "CODE = ",
      "Runtime.UserCodeSyntaxError",
      kGood,
      {
          {"raise_error", "ValueError", "raised on purpose {id}"},
          {"raise_base", kExit, "exit status 1"},
          {"raise_interrupt", kExit, "signal: interrupt"},
          {"recurse", "RecursionError", "maximum recursion depth"},
          {"unmarshallable", "Runtime.MarshalError", "not JSON serializable"},
          {"oversized", kTooLarge, "6291556 bytes", Cost::kHeavy},
          {"change_folder", "", ""},
          in_process({"fork", "RuntimeError", "process isolation"}),
          in_process({"memory", "MemoryError", ""}),
          in_process({"memory_list", "MemoryError", "", Cost::kHeavy}),
          {"exit_by_exception", kExit, "exit status 3"},
          {"exit_at_once", kExit, "exit status 4"},
          {"abort", kExit, "signal: aborted"},
          {"kill_self", kExit, "signal: killed"},
          {"raise_signal", kExit, "signal: terminated"},
          {"thread_raises", "", ""},
          {"thread_stays", "", ""},
          {"closes_output", "", ""},
          in_workers({"fork_child", "", "", Cost::kHeavy}),
          in_workers({"memory", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"memory_list", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"memory_shared", kExit, "signal: killed", Cost::kHeavy}),
          // Where /tmp is on a disk it is full some time; where it is memory that may come first.
          in_workers(or_killed({"fill_tmp", "OSError", "No space left on device", Cost::kHeavy})),
          in_workers({"memory_of_children", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"segfault", kExit, "signal: segmentation fault"}),
          in_workers({"stack_overflow", kExit, "signal: segmentation fault"}),
          in_workers({"abort_in_c", kExit, "signal: aborted"}),
          in_workers({"divide_in_c", kExit, "signal: floating point exception"}),
          in_workers({"exit_zero", kExit, "without providing a reason"}),
          in_workers({"leaves_children", kExit, "exit status 5", Cost::kHeavy}),
          // A thousand forks with a fourteenth of a core: the minute that the function has may be over first.
          in_workers(or_timeout({"fork_bomb", kExit, "Runtime exited with error", Cost::kHeavy})),
          in_workers({"threads_without_end", "RuntimeError", "can't start new thread", Cost::kHeavy}),
          in_workers({"files_without_end", "OSError", "Too many open files"}),
          in_workers({"kill_group", kExit, "signal: killed"}),
          in_workers({"kill_all", "", ""}),
          in_workers({"writes_everywhere", "", ""}),
          in_workers({"closes_everything", kExit, "exit status 7"}),
          slow("spin"),
          slow("swallow"),
          slow("sleep"),
          slow("sleep_long"),
          slow("lock"),
          slow("generate"),
      },
  };
}

Language nodejs() {
  return {
      "nodejs",
      "nodejs20.x",
      "app.mjs",
      "const CODE = ",
      "Runtime.UserCodeSyntaxError",
      kGood,
      {
          {"throw_error", "TypeError", "thrown on purpose {id}"},
          {"throw_text", "string", "thrown on purpose {id}"},
          {"reject", "RangeError", "rejected on purpose {id}"},
          {"recurse", "RangeError", "Maximum call stack size exceeded"},
          {"circular", "Error", "Unable to stringify response body"},
          {"bigint", "Error", "Unable to stringify response body"},
          {"oversized", kTooLarge, "6291556 bytes", Cost::kHeavy},
          in_process({"set_user", "Error", "isolation"}),
          {"never", "Runtime.NodeJsExit", ""},
          {"unhandled", "Runtime.UnhandledPromiseRejection", "nobody handles this {id}"},
          {"uncaught", "Error", "nobody catches this {id}"},
          in_process({"buffer", kExit, "signal: killed"}),
          in_process({"wasm", kExit, "signal: killed"}),
          in_workers({"set_user", "Error", "EPERM"}),
          in_workers({"buffer_filled", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"wasm_filled", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"segfault", kExit, "signal: segmentation fault"}),
          in_workers({"leaves_children", kExit, "exit status 5", Cost::kHeavy}),
          in_workers({"files_without_end", "Error", "EMFILE"}),
          in_workers({"kill_group", kExit, "signal: killed"}),
          // To libuv's own pipes as well, which it does not always survive.
          in_workers({"writes_everywhere", kExit, "Runtime exited with error"}),
          {"exit", kExit, "exit status 3"},
          {"exit_later", kExit, "exit status 4"},
          {"abort", kExit, "signal: aborted"},
          {"kill_self", kExit, "signal: killed"},
          {"heap", kExit, "signal: killed", Cost::kHeavy},
          {"timer_stays", "", ""},
          {"change_folder", "", ""},
          slow("spin"),
          slow("spin_in_timer"),
          slow("spin_in_promise"),
          slow("swallow"),
          slow("hang"),
          slow("wait_for_memory"),
          slow("regex"),
      },
  };
}

Language ruby() {
  return {
      "ruby",
      "ruby3.2",
      "app.rb",
      "def code = ",
      "Init<SyntaxError>",
      kGood,
      {
          {"raise_error", "Function<ArgumentError>", "raised on purpose {id}"},
          {"raise_exception", "Function<Exception>", "raised on purpose {id}"},
          {"throw_symbol", "Function<UncaughtThrowError>", "nobody_catches_this"},
          {"recurse", "Function<SystemStackError>", "stack level too deep"},
          {"not_a_number", "Function<JSON::GeneratorError>", "NaN"},
          {"oversized", kTooLarge, "6291556 bytes", Cost::kHeavy},
          in_process({"change_folder", "Function<NotImplementedError>", "isolation"}),
          in_workers({"change_folder_there", "", ""}),
          in_workers({"memory", kExit, "signal: killed", Cost::kHeavy}),
          in_workers({"segfault", kExit, "signal: aborted"}),
          in_workers({"exit_zero", kExit, "without providing a reason"}),
          in_workers({"fork_child", "", "", Cost::kHeavy}),
          in_workers({"leaves_children", kExit, "exit status 5", Cost::kHeavy}),
          in_workers({"files_without_end", "Function<Errno::EMFILE>", "Too many open files"}),
          in_workers({"kill_group", kExit, "signal: killed"}),
          in_workers({"writes_everywhere", kExit, "exit status 7"}),
          {"too_large", "Function<NoMemoryError>", "failed to allocate memory"},
          {"exit_by_exception", kExit, "exit status 3"},
          {"exit_at_once", kExit, "exit status 4"},
          {"abort_with_words", kExit, "exit status 1"},
          {"kill_self", kExit, "signal: killed"},
          {"thread_raises", "", ""},
          {"thread_stays", "", ""},
          slow("spin"),
          slow("swallow"),
          slow("sleep_long"),
          in_process(slow("wait_for_queue")),
          // Ruby looks for a thread that could wake the handler when that goes to sleep, and not again: what thread_stays has left
          // in the environment keeps it waiting.
          in_workers(or_timeout({"wait_for_queue", "Function<fatal>", "No live threads left", Cost::kSlow})),
          slow("wait_for_child"),
          slow("regex"),
      },
  };
}

bool g_uses_workers = false;

std::vector<Language> languages_there() {
  std::vector<Language> all = {python(), nodejs(), ruby()};
  const Where elsewhere = g_uses_workers ? Where::kInProcess : Where::kInWorkers;
  for (Language& language : all) {
    std::erase_if(language.bad, [elsewhere](const Deed& deed) { return deed.where == elsewhere; });
  }
  return all;
}

}  // namespace

void use_workers() { g_uses_workers = true; }
bool uses_workers() { return g_uses_workers; }

const std::vector<Language>& languages() {
  static const std::vector<Language> all = languages_there();
  return all;
}

std::string fault_of(const Deed& deed, const InvokeResult& result, const std::string& id) {
  if (result.error) return "refused: " + result.error->message();
  const json document = json::parse(result.payload, nullptr, false);
  if (result.ok() || !document.is_object()) return "no error but " + result.payload.substr(0, 200);
  const std::string type = document.value("errorType", "");
  if (deed.may_time_out && type == kTimeout) return {};
  if (deed.may_be_killed && type == kExit && result.payload.find("signal: killed") != std::string::npos)
    return {};
  if (type != deed.error_type) return "another error: " + result.payload.substr(0, 300);
  std::string text(deed.text);
  if (const auto at = text.find("{id}"); at != std::string::npos) text.replace(at, 4, id);
  if (result.payload.find(text) == std::string::npos) return "other words: " + result.payload.substr(0, 300);
  return {};
}

}  // namespace lambed::soak
