// Loaded by attached_test.py into a running Python: the plugin as the pip package uses it, without the package.
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/host_harness.h"

using namespace lambed::testing;

namespace {

constexpr const char* kTurns = "lambed-py-turns";

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

bool has_thread(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string found;
    if (std::getline(std::ifstream(task.path() / "comm"), found) && found == name) return true;
  }
  return false;
}

bool wait_gone(const std::string& name) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (has_thread(name)) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void exercise(const std::string& plugin, const std::string& single_phase_module) {
  HostHarness host(plugin, {}, LAMBED_CONTEXT_PYTHON);
  TemporaryFolder folder;
  folder.write("app.py", R"(
import os, sys
def handler(event, context):
    os.environ['CHANGED'] = '1'
    sys.path.append('/changed')
    print('printed by the function')
    return [event, sorted(os.environ)]
def loop(event, context):
    while True:
        try:
            while True: pass
        except BaseException: pass
)");
  EnvironmentSpec spec;
  spec.runtime = "python3.12";
  spec.handler = "app.handler";
  spec.task_root = folder.path();
  spec.variables = {{"ONLY", "this"}};
  const HarnessEnvironment first = host.open(spec);
  const HarnessEnvironment second = host.open(spec);
  first.expect_opened();
  second.expect_opened();
  require(first.invoke("1").payload == R"([1, ["CHANGED", "ONLY"]])", "the first environment answers");
  require(second.invoke("2").payload == R"([2, ["CHANGED", "ONLY"]])", "the second environment answers");
  require(first.log() == "printed by the function\n", "output goes to the core");

  spec.handler = "app.loop";
  const lambed_slice version = host.describe().interpreter_version;
  const bool shares_lock = std::stoi(std::string(version.data, version.size).substr(2)) < 13;
  for (int round = 0; round < 2; ++round) {
    const HarnessEnvironment looping = host.open(spec);
    looping.expect_opened();
    const std::uint64_t token = looping.submit("{}");
    require(looping.wait_taken(token), "the loop begins");
    // Long enough for the application's thread to show whether it gets its turns beside the loop.
    require(!looping.wait_outcome(token, std::chrono::milliseconds(500)), "the loop goes on");
    require(has_thread(kTurns) == shares_lock, "a thread gives turns where a lock is shared");
    const std::optional<Outcome> stopped = looping.interrupt_until_answered(token, std::chrono::seconds(10));
    require(stopped && stopped->kind == LAMBED_OUTCOME_INTERRUPTED, "the loop is stopped");
    looping.close();
    require(wait_gone(kTurns), "the thread that gives turns ends when nobody needs it");
  }

  TemporaryFolder extension;
  extension.write("app.py", "import lambed_single_phase\ndef handler(event, context): pass\n");
  spec.task_root = extension.path();
  spec.layers = {single_phase_module};
  spec.handler = "app.handler";
  const HarnessEnvironment refused = host.open(spec);
  const std::optional<Outcome> outcome = refused.wait_opened();
  require(outcome && outcome->kind == LAMBED_OUTCOME_REFUSED, "a single-phase module is refused");
  require(outcome->payload.find("process isolation") != std::string::npos, "with a remedy");
  require(refused.wait_closed(), "the refused environment closes");
  for (const HarnessEnvironment& environment : {first, second}) environment.close();
}

}  // namespace

// Returns 0, or 1 with what failed in `message`.
extern "C" __attribute__((visibility("default"))) int lambed_test_attached(const char* plugin,
                                                                           const char* layer, char* message,
                                                                           std::size_t size) {
  try {
    exercise(plugin, layer);
    return 0;
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), size - 1);
    message[size - 1] = '\0';
    return 1;
  }
}
