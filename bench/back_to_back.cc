// One call after the other from one thread, the floor's blocks and ours in turn.
#include <atomic>
#include <cstdio>
#include <future>

#include "sitting.h"

namespace bench {
namespace {

struct Side {
  Samples all;
  std::vector<double> medians;  // of each block
  void take(const Samples& block) {
    all.add(block);
    medians.push_back(block.median_ns());
  }
};

template <typename Call>
Samples block_of(Sitting& sitting, Call call) {
  Samples samples;
  const auto end = Clock::now() + sitting.scale.block;
  while (samples.size() < 5 || Clock::now() < end) samples.add(time_of(call));
  return samples;
}

// The callback invokes again: what an event loop does.
Samples callback_block(Sitting& sitting, const std::string& event) {
  struct Chain {
    Sitting& sitting;
    const std::string& event;
    Clock::time_point end;
    Samples samples;
    std::promise<void> finished;
    void next() {
      const auto begin = Clock::now();
      sitting.gateway.invoke({.function = "echo", .payload = event},
                             [this, begin](lambed::InvokeResult result) {
                               samples.add(Clock::now() - begin);
                               expect_ok(result);
                               if (samples.size() >= 5 && Clock::now() >= end) {
                                 finished.set_value();
                               } else {
                                 next();
                               }
                             });
    }
  };
  Chain chain{sitting, event, Clock::now() + sitting.scale.block, {}, {}};
  chain.next();
  chain.finished.get_future().wait();
  return chain.samples;
}

double paired_ratio(const Side& ours, const Side& floor) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.medians.size(); ++i) ratios.push_back(ours.medians[i] / floor.medians[i]);
  return median(ratios);
}

double paired_difference(const Side& ours, const Side& floor) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < ours.medians.size(); ++i)
    differences.push_back(ours.medians[i] - floor.medians[i]);
  return median(differences);
}

}  // namespace

void measure_back_to_back(Sitting& sitting) {
  std::printf("\nOne in flight, back to back (ratio: median over %d interleaved blocks)\n",
              sitting.scale.repetitions);
  Table table({"payload", "form", "floor p50", "floor p99", "ours p50", "ours p99", "ratio"});
  sitting.create("echo");
  std::unique_ptr<Lane> lane;
  sitting.floor.run([&] { lane = sitting.floor.open_lane(sitting.folder); });
  const Wanted& wanted = sitting.subject.wanted;
  for (const Payload& payload : kPayloads) {
    const std::string event = event_of(payload.size);
    Side floor;
    Side blocking;
    Side callback;
    const auto invoke = [&] { expect_ok(sitting.gateway.invoke({.function = "echo", .payload = event})); };
    for (int i = 0; i < 20; ++i) invoke();
    for (int repetition = 0; repetition < sitting.scale.repetitions; ++repetition) {
      sitting.floor.run(
          [&] { lane->hold([&] { floor.take(block_of(sitting, [&] { lane->call(event); })); }); });
      blocking.take(block_of(sitting, invoke));
      callback.take(callback_block(sitting, event));
    }
    for (const auto& [form, ours] :
         {std::pair<const char*, const Side&>{"blocking", blocking}, {"callback", callback}}) {
      table.row({payload.name, form, duration_text(median(floor.medians)),
                 duration_text(floor.all.quantile_ns(0.99)), duration_text(median(ours.medians)),
                 duration_text(ours.all.quantile_ns(0.99)), number_text(paired_ratio(ours, floor), 2)});
    }
    if (payload.size == 100 && wanted.back_to_back_ratio > 0) {
      sitting.targets.at_most("one in flight, 100 B, against the floor", paired_ratio(blocking, floor),
                              wanted.back_to_back_ratio, "x");
    }
    if (payload.size == 100 && wanted.over_floor_us > 0) {
      sitting.targets.at_most("one in flight, 100 B, over the floor",
                              paired_difference(blocking, floor) / 1e3, wanted.over_floor_us, " us");
    }
    if (payload.size == 1'000'000 && wanted.back_to_back_large_ratio > 0) {
      sitting.targets.at_most("one in flight, 1 MB, against the floor", paired_ratio(blocking, floor),
                              wanted.back_to_back_large_ratio, "x");
    }
  }
  sitting.floor.run([&] { lane.reset(); });
  sitting.gateway.delete_function("echo");
  table.print();
}

}  // namespace bench
