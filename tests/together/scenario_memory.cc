// Environments and gateways that are closed give back threads and memory.
#include <malloc.h>

#include <cstdio>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace lambed::together {
namespace {

#ifdef LAMBED_SANITIZED
constexpr bool kJudged = false;  // AddressSanitizer keeps what is freed for a while, to see who uses it still
#else
constexpr bool kJudged = true;
#endif

struct Allowance {
  const char* language;
  int environments;
  // What one environment may leave behind. CPython from 3.12 on loses 2.4-2.6 MB of each sub-interpreter; 3.11 next to
  // nothing. The rest is for fragmentation.
  long kb_each;
};

constexpr long kLeakOfPython312 = 3600;

Allowance allowance(const std::string& language, const std::string& version) {
  if (language == "python") return {"python", 60, version.starts_with("3.11.") ? 200 : kLeakOfPython312};
  if (language == "nodejs") return {"nodejs", 60, 250};
  return {"ruby", 200, 60};
}

std::string version_of(const std::string& language) {
  for (const HostReport& report : Gateway::hosts(false)) {
    if (report.language == language && report.available) return report.interpreter_version;
  }
  throw Failure("no running host of " + language);
}

// Resident memory without what malloc only keeps for later.
long settled_kb() {
  malloc_trim(0);
  return resident_kb();
}

// Those that wait for other work before they end do so for up to half a minute.
constexpr std::chrono::seconds kUntilThreadsEnd{60};

// Those that have been told to close are not counted: their host frees them meanwhile, and the thread may live longer. Ruby's
// waits three seconds for other work.
std::size_t open_environments(Polyglot& all) {
  const GatewayStatus now = all.gateway().status();
  return static_cast<std::size_t>(now.opening + now.idle + now.busy + now.interrupting + now.abandoned);
}

}  // namespace

void gives_environments_back(const Order& order) {
  Polyglot all;
  all.start(order);
  for (const std::string& language : order) {
    const std::string version = version_of(language);
    const Allowance known = allowance(language, version);
    const auto open_and_close = [&](int count) {
      for (int i = 0; i < count; ++i) {
        all.create("passing", language);
        all.call("passing", "echo", {{"value", i}});
        all.gateway().delete_function("passing");
        await("an environment closes", [&] { return open_environments(all) == order.size(); });
      }
    };
    const int threads = count_threads();
    open_and_close(known.environments / 4);
    const long before = settled_kb();
    open_and_close(known.environments);
    const long each = (settled_kb() - before) / known.environments;
    std::printf("%s %s: %ld kB stay of each of %d environments\n", language.c_str(), version.c_str(), each,
                known.environments);
    expect(!kJudged || each <= known.kb_each,
           language + " " + version + " keeps " + std::to_string(each) + " kB of each environment");
    await(
        "the threads of " + language + " end", [&] { return count_threads() <= threads; }, kUntilThreadsEnd);
  }
}

void gives_gateways_back(const Order& order) {
  constexpr int kGateways = 12;
  constexpr long kMostKbEach = 1500;
  const auto live_once = [&] {
    Polyglot all;
    all.start(order);
  };
  for (int i = 0; i < 4; ++i) live_once();
  const int threads = count_threads();
  const long before = settled_kb();
  for (int i = 0; i < kGateways; ++i) live_once();
  const long each = (settled_kb() - before) / kGateways;
  std::printf("%ld kB stay of each of %d gateways with three environments\n", each, kGateways);
  expect(!kJudged || each <= kMostKbEach, "each gateway keeps " + std::to_string(each) + " kB");
  await(
      "the threads of gateways end", [&] { return count_threads() <= threads; }, kUntilThreadsEnd);
}

}  // namespace lambed::together
