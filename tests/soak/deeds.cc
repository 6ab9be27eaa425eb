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
          {"fork", "RuntimeError", "process isolation"},
          {"memory", "MemoryError", ""},
          {"memory_list", "MemoryError", "", Cost::kHeavy},
          {"exit_by_exception", kExit, "exit status 3"},
          {"exit_at_once", kExit, "exit status 4"},
          {"abort", kExit, "signal: aborted"},
          {"kill_self", kExit, "signal: killed"},
          {"raise_signal", kExit, "signal: terminated"},
          {"thread_raises", "", ""},
          {"thread_stays", "", ""},
          {"closes_output", "", ""},
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
          {"set_user", "Error", "isolation"},
          {"never", "Runtime.NodeJsExit", ""},
          {"unhandled", "Runtime.UnhandledPromiseRejection", "nobody handles this {id}"},
          {"uncaught", "Error", "nobody catches this {id}"},
          {"buffer", kExit, "signal: killed"},
          {"wasm", kExit, "signal: killed"},
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
          {"change_folder", "Function<NotImplementedError>", "isolation"},
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
          slow("wait_for_queue"),
          slow("wait_for_child"),
          slow("regex"),
      },
  };
}

}  // namespace

const std::vector<Language>& languages() {
  static const std::vector<Language> all = {python(), nodejs(), ruby()};
  return all;
}

std::string fault_of(const Deed& deed, const InvokeResult& result, const std::string& id) {
  if (result.error) return "refused: " + result.error->message();
  const json document = json::parse(result.payload, nullptr, false);
  if (result.ok() || !document.is_object()) return "no error but " + result.payload.substr(0, 200);
  if (document.value("errorType", "") != deed.error_type)
    return "another error: " + result.payload.substr(0, 300);
  std::string text(deed.text);
  if (const auto at = text.find("{id}"); at != std::string::npos) text.replace(at, 4, id);
  if (result.payload.find(text) == std::string::npos) return "other words: " + result.payload.substr(0, 300);
  return {};
}

}  // namespace lambed::soak
