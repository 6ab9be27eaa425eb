// A call every 5 ms: everybody is asleep and every cache is cold when it comes.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

// A word that two threads hand back and forth, asleep in the kernel in between.
class Baton {
 public:
  void set(std::uint32_t value) {
    word_.store(value, std::memory_order_release);
    ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
              0);
  }
  // Sleeps as long as the word is `value`; returns what it is then.
  std::uint32_t wait_while(std::uint32_t value) {
    std::uint32_t now = 0;
    while ((now = word_.load(std::memory_order_acquire)) == value) {
      ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word_), FUTEX_WAIT_PRIVATE, value, nullptr,
                nullptr, 0);
    }
    return now;
  }

 private:
  std::atomic<std::uint32_t> word_{0};
};

constexpr std::uint32_t kIdle = 0;
constexpr std::uint32_t kAsked = 1;
constexpr std::uint32_t kAskedForCall = 2;
constexpr std::uint32_t kEnd = 3;

// The other thread of a hand-off; it can also make a floor's call before it answers.
class Other {
 public:
  Other(Sitting& sitting, const std::string& event)
      : thread_([this, &sitting, &event] { sitting.floor.run([&] { serve(sitting, event); }); }) {}
  ~Other() {
    request_.set(kEnd);
    thread_.join();
  }
  void round_trip(std::uint32_t request) {
    answer_.set(kIdle);
    request_.set(request);
    answer_.wait_while(kIdle);
  }

 private:
  void serve(Sitting& sitting, const std::string& event) {
    const std::unique_ptr<Lane> lane = sitting.floor.open_lane(sitting.folder);
    for (;;) {
      const std::uint32_t asked = request_.wait_while(kIdle);
      if (asked == kEnd) return;
      if (asked == kAskedForCall) lane->hold([&] { lane->call(event); });
      request_.set(kIdle);
      answer_.set(kAsked);
    }
  }

  Baton request_;
  Baton answer_;
  std::thread thread_;
};

template <typename Call>
Samples paced(int calls, Call call) {
  Samples samples;
  auto next = Clock::now();
  for (int i = 0; i < calls; ++i) {
    next += std::chrono::milliseconds(5);
    std::this_thread::sleep_until(next);
    samples.add(time_of(call));
  }
  return samples;
}

}  // namespace

void measure_after_pause(Sitting& sitting) {
  std::printf("\nAfter a pause: one call every 5 ms, 100 B\n");
  const std::string event = event_of(100);
  sitting.create("echo");
  expect_ok(sitting.gateway.invoke({.function = "echo", .payload = event}));
  std::unique_ptr<Lane> lane;
  sitting.floor.run([&] { lane = sitting.floor.open_lane(sitting.folder); });
  Samples floor;
  Samples hand_off;
  Samples behind;
  Samples ours;
  std::vector<double> over_hand_off;
  std::vector<double> over_floor;
  {
    Other other(sitting, event);
    for (int i = 0; i < 20; ++i) other.round_trip(kAskedForCall);
    for (int repetition = 0; repetition < sitting.scale.repetitions; ++repetition) {
      const int calls = sitting.scale.paused_calls;
      Samples floor_block;
      sitting.floor.run([&] { floor_block = paced(calls, [&] { lane->hold([&] { lane->call(event); }); }); });
      const Samples hand_off_block = paced(calls, [&] { other.round_trip(kAsked); });
      behind.add(paced(calls, [&] { other.round_trip(kAskedForCall); }));
      const Samples our_block =
          paced(calls, [&] { expect_ok(sitting.gateway.invoke({.function = "echo", .payload = event})); });
      over_floor.push_back(our_block.median_ns() - floor_block.median_ns());
      over_hand_off.push_back(over_floor.back() - hand_off_block.median_ns());
      floor.add(floor_block);
      hand_off.add(hand_off_block);
      ours.add(our_block);
    }
  }
  Table table({"what", "p50", "p99"});
  const auto row = [&](const char* name, const Samples& samples) {
    table.row({name, duration_text(samples.median_ns()), duration_text(samples.quantile_ns(0.99))});
  };
  row("floor, on the caller's thread", floor);
  row("a parked hand-off, there and back", hand_off);
  row("floor behind a parked hand-off", behind);
  row("ours", ours);
  table.print();
  sitting.floor.run([&] { lane.reset(); });
  const Wanted& wanted = sitting.subject.wanted;
  if (wanted.over_floor_us > 0) {
    sitting.targets.at_most("after a pause, over the floor", median(over_floor) / 1e3, wanted.over_floor_us,
                            " us");
  } else {
    sitting.targets.at_most("after a pause, over floor + one parked hand-off", median(over_hand_off) / 1e3,
                            0.0, " us");
  }
  sitting.gateway.delete_function("echo");
}

}  // namespace bench
