// exit_driver LANGUAGE,... ACTIVITY ENDING: an application that ends while its functions do something. Writes "ready" to
// standard error when they all do it, and "ending" just before it ends; exit_matrix_test.cc looks at how it ends.
//
// ACTIVITY: idle; in_flight (short calls, one after the other); or a handler that does not end by itself, one in each language:
//   spin (a busy loop), swallow (a busy loop that catches whatever is thrown), wait (sleeps), native (in C code).
// ENDING: return (the gateway is destroyed, main returns 7), open_return (main returns 7, the gateway is never destroyed), exit
//   (exit(7) while the gateway lives), exception (nobody catches it), signal (waits for one).
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "together/polyglot.h"

namespace {

using namespace lambed;
using namespace lambed::together;

constexpr int kStatus = 7;

void say(const char* word) {
  std::fprintf(stderr, "%s\n", word);
  std::fflush(stderr);
}

// Calls a function again and again until the gateway is closed.
void keep_calling(Gateway& gateway, const std::string& language,
                  const std::shared_ptr<std::atomic<int>>& answers) {
  gateway.invoke({.function = language, .payload = R"({"do":"echo","value":1})"},
                 [&gateway, language, answers](InvokeResult result) {
                   if (result.error) return;
                   ++*answers;
                   keep_calling(gateway, language, answers);
                 });
}

void begin(Polyglot& all, const std::vector<std::string>& order, const std::string& activity) {
  constexpr int kCallers = 4;
  constexpr int kWarm = 50;
  if (activity == "idle") return;
  for (const std::string& language : order) {
    if (activity == "in_flight") {
      const auto answers = std::make_shared<std::atomic<int>>(0);
      for (int i = 0; i < kCallers; ++i) keep_calling(all.gateway(), language, answers);
      await("calls of " + language, [&] { return *answers > kWarm; });
    } else {
      // Nobody waits for the answer: the callback form, since a future's destructor is not what is tested.
      all.gateway().invoke({.function = language, .payload = json{{"do", activity}, {"seconds", 60}}.dump()},
                           [](const InvokeResult&) {});
      await(language + " runs",
            [&] { return all.log()->text(language).find("running") != std::string::npos; });
    }
  }
}

}  // namespace

#ifdef LAMBED_SANITIZED
// LeakSanitizer asks this at the end. Here the program ends with calls in flight, interpreters running and gateways open.
extern "C" [[gnu::visibility("default")]] int __lsan_is_turned_off() { return 1; }
#endif

int main(int count, char** words) {
  const std::set<std::string> activities = {"idle", "in_flight", "spin", "swallow", "wait", "native"};
  const std::set<std::string> endings = {"return", "open_return", "exit", "exception", "signal"};
  if (count != 4 || !activities.contains(words[2]) || !endings.contains(words[3])) {
    std::fprintf(stderr, "usage: exit_driver LANGUAGE,... ACTIVITY ENDING\n");
    return 2;
  }
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const std::string ending = words[3];
  auto all = std::make_unique<Polyglot>();
  try {
    const std::vector<std::string> order = parse_order(words[1]);
    all->start(order);
    begin(*all, order, words[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  say("ready");
  if (ending == "signal") {
    for (;;) pause();
  }
  say("ending");
  if (ending == "exception") throw std::runtime_error("nobody catches this");
  if (ending == "exit") std::exit(kStatus);
  if (ending == "open_return") static_cast<void>(all.release());
  return kStatus;
}
