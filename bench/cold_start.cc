// The first call of a function, against what the interpreter alone needs for a new environment and the
// import.
#include <cstdio>
#include <thread>

#include "sitting.h"

namespace bench {

void measure_cold_start(Sitting& sitting) {
  std::printf("\nCold start (%d interleaved)\n", sitting.scale.cold_starts);
  const std::string event = event_of(100);
  Samples floor;
  Samples ours;
  Samples init;
  std::vector<double> ratios;
  for (int i = 0; i <= sitting.scale.cold_starts; ++i) {
    Nanos bare{};
    sitting.floor.run([&] {
      std::unique_ptr<Lane> lane;
      bare = time_of([&] {
        lane = sitting.floor.open_lane(sitting.folder);
        lane->hold([&] { lane->call(event); });
      });
    });
    sitting.create("cold");
    lambed::InvokeResult result;
    const Nanos first =
        time_of([&] { result = sitting.gateway.invoke({.function = "cold", .payload = event}); });
    expect_ok(result);
    sitting.gateway.delete_function("cold");
    // The environment that closes must not be in the way of the next one that is measured.
    while (sitting.gateway.status().idle > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (i == 0) continue;  // the first of each side finds cold files
    floor.add(bare);
    ours.add(first);
    init.add(result.report.init_duration);
    ratios.push_back(static_cast<double>(first.count()) / static_cast<double>(bare.count()));
  }
  Table table({"what", "p50", "p99"});
  const auto row = [&](const char* name, const Samples& samples) {
    table.row({name, duration_text(samples.median_ns()), duration_text(samples.quantile_ns(0.99))});
  };
  row("floor: new interpreter, import, first call", floor);
  row("ours: first invocation of a function", ours);
  row("  its init, as reported", init);
  table.print();
  const Wanted& wanted = sitting.subject.wanted;
  if (wanted.cold_start_ratio > 0) {
    sitting.targets.at_most("cold start, against the floor", median(ratios), wanted.cold_start_ratio, "x");
  }
  if (wanted.cold_start_ms > 0) {
    sitting.targets.at_most("cold start", ours.median_ns() / 1e6, wanted.cold_start_ms, " ms");
  }
}

}  // namespace bench
