// How long after the limit of one second a caller has his Sandbox.Timedout.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

Samples lateness_of(Sitting& sitting, const std::string& handler, int at_once) {
  Samples lateness;
  std::mutex mutex;  // guards lateness
  for (int i = 0; i < at_once; ++i) sitting.create("late" + std::to_string(i), handler, 1);
  for (int round = 0; round < sitting.scale.timeout_rounds; ++round) {
    // With a warm environment each, so that no init is in the way.
    for (int i = 0; i < at_once; ++i) {
      expect_ok(sitting.gateway.invoke({.function = "late" + std::to_string(i), .payload = "\"warm\""}));
    }
    std::vector<std::thread> callers;
    for (int i = 0; i < at_once; ++i) {
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
  for (int i = 0; i < at_once; ++i) sitting.gateway.delete_function("late" + std::to_string(i));
  return lateness;
}

}  // namespace

void measure_timeouts(Sitting& sitting) {
  std::printf("\nLateness of Sandbox.Timedout at a limit of 1 s\n");
  Table table({"handler", "at a time", "calls", "p50", "p99", "latest"});
  struct Case {
    const char* name;
    const char* handler;
    int at_once;
  };
  for (const auto& [name, handler, at_once] :
       {Case{"waits", "app.hang", 8}, Case{"burns the CPU", "app.spin", sitting.subject.spinners}}) {
    const Samples samples = lateness_of(sitting, handler, at_once);
    table.row({name, std::to_string(at_once), std::to_string(samples.size()),
               duration_text(samples.median_ns()), duration_text(samples.quantile_ns(0.99)),
               duration_text(samples.quantile_ns(1.0))});
    sitting.targets.at_most(std::string("timeout that ") + name + ", p99 after the limit",
                            samples.quantile_ns(0.99) / 1e6, 50.0, " ms");
  }
  table.print();
}

}  // namespace bench
