// Memory per environment, and whether invocations leave any behind.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

constexpr double kMega = 1024.0 * 1024.0;

// Keeps `in_flight` invocations going until `count` have been answered.
void run_many(Sitting& sitting, const std::string& event, long count, int in_flight) {
  struct Chains {
    Sitting& sitting;
    const std::string& event;
    std::atomic<long> to_begin;
    std::atomic<int> left;
    void next() {
      if (to_begin.fetch_sub(1) <= 0) {
        --left;
        return;
      }
      sitting.gateway.invoke({.function = "echo", .payload = event}, [this](lambed::InvokeResult result) {
        expect_ok(result);
        next();
      });
    }
  };
  Chains chains{sitting, event, count, in_flight};
  for (int i = 0; i < in_flight; ++i) chains.next();
  while (chains.left > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

void measure_memory(Sitting& sitting) {
  const int count = sitting.scale.kept_environments;
  std::printf("\nMemory per open environment (%d of them)\n", count);
  const std::string event = event_of(100);
  double bare = 0;
  sitting.floor.run([&] {
    std::vector<std::unique_ptr<Lane>> lanes;
    const double before = private_memory();
    for (int i = 0; i < count; ++i) {
      lanes.push_back(sitting.floor.open_lane(sitting.folder));
      lanes.back()->hold([&] { lanes.back()->call(event); });
    }
    bare = (private_memory() - before) / count;
  });
  sitting.create("kept");
  sitting.gateway.publish_version({.name = "kept"});
  const double before = private_memory();
  sitting.gateway.put_provisioned_concurrency("kept", "1", count);
  while (sitting.gateway.status().idle < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double ours = (private_memory() - before) / count;
  sitting.gateway.delete_function("kept");
  Table table({"what", "memory"});
  table.row({"floor: bare interpreter with the handler", number_text(bare / kMega, 2) + " MB"});
  table.row({"ours: provisioned environment", number_text(ours / kMega, 2) + " MB"});
  table.print();
}

void measure_growth(Sitting& sitting) {
  const long count = sitting.scale.invocations_for_growth;
  std::printf("\nMemory over %ld invocations\n", count);
  const std::string event = event_of(100);
  sitting.create("echo");
  constexpr int kSteps = 20;
  std::vector<double> samples;
  for (int step = 0; step < kSteps; ++step) {
    run_many(sitting, event, count / kSteps, 4);
    samples.push_back(private_memory());
  }
  const std::vector<double> second(samples.begin() + kSteps / 4, samples.begin() + kSteps / 2);
  const std::vector<double> last(samples.begin() + kSteps * 3 / 4, samples.end());
  const double growth = median(last) - median(second);
  Table table({"what", "memory"});
  table.row({"after the first twentieth", number_text(samples.front() / kMega, 2) + " MB"});
  table.row({"median of the second quarter", number_text(median(second) / kMega, 2) + " MB"});
  table.row({"median of the last quarter", number_text(median(last) / kMega, 2) + " MB"});
  table.print();
  sitting.targets.at_most("memory growth over " + std::to_string(count) + " invocations", growth / 1024.0,
                          256.0, " KB");
  sitting.gateway.delete_function("echo");
}

}  // namespace bench
