// How long after the limit of one second a caller has his Sandbox.Timedout.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

Samples lateness_of(Sitting& sitting, const std::string& handler) {
  constexpr int kAtOnce = 8;
  Samples lateness;
  std::mutex mutex;  // guards lateness
  for (int i = 0; i < kAtOnce; ++i) sitting.create("late" + std::to_string(i), handler, 1);
  for (int round = 0; round < sitting.scale.timeout_rounds; ++round) {
    // With a warm environment each, so that no init is in the way.
    for (int i = 0; i < kAtOnce; ++i) {
      expect_ok(sitting.gateway.invoke({.function = "late" + std::to_string(i), .payload = "\"warm\""}));
    }
    std::vector<std::thread> callers;
    for (int i = 0; i < kAtOnce; ++i) {
      callers.emplace_back([&, i] {
        lambed::InvokeResult result;
        const Nanos took = time_of([&] {
          result = sitting.gateway.invoke({.function = "late" + std::to_string(i), .payload = "{}"});
        });
        if (result.payload.find("Sandbox.Timedout") == std::string::npos) {
          std::fprintf(stderr, "bench: not a timeout: %s\n", result.payload.c_str());
          std::exit(1);
        }
        const std::lock_guard lock(mutex);
        lateness.add(took - std::chrono::seconds(1));
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  for (int i = 0; i < kAtOnce; ++i) sitting.gateway.delete_function("late" + std::to_string(i));
  return lateness;
}

}  // namespace

void measure_timeouts(Sitting& sitting) {
  std::printf("\nLateness of Sandbox.Timedout at a limit of 1 s, 8 at a time\n");
  Table table({"handler", "calls", "p50", "p99", "latest"});
  for (const auto& [name, handler] :
       {std::pair<const char*, const char*>{"waits", "app.hang"}, {"burns the CPU", "app.spin"}}) {
    const Samples samples = lateness_of(sitting, handler);
    table.row({name, std::to_string(samples.size()), duration_text(samples.median_ns()),
               duration_text(samples.quantile_ns(0.99)), duration_text(samples.quantile_ns(1.0))});
    sitting.targets.at_most(std::string("timeout that ") + name + ", p99 after the limit",
                            samples.quantile_ns(0.99) / 1e6, 50.0, " ms");
  }
  table.print();
}

}  // namespace bench
