// Many calls at the same time: the floor's threads with an environment each, ours from as many threads, and
// by callbacks.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sitting.h"

namespace bench {
namespace {

struct Rate {
  double per_second = 0;
  Samples latency;
};

// How the floor's threads treat a lock that they share: keep it until they are told to let go, or offer it
// after each call.
enum class Lock { kKept, kOffered };

// Threads that stay for the whole measurement, because opening a lane is dear; `run` lets them work for a
// while.
class FloorThreads {
 public:
  FloorThreads(Sitting& sitting, int count, const std::string& function = "handler")
      : sitting_(sitting), function_(function) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { sitting_.floor.run([this] { work(); }); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_ == count; });
  }
  ~FloorThreads() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  Rate run(const std::string& event, Lock lock_use) {
    std::unique_lock lock(mutex_);
    event_ = &event;
    lock_use_ = lock_use;
    calls_ = 0;
    stop_ = false;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
    const auto begin = Clock::now();
    changed_.notify_all();
    lock.unlock();
    std::this_thread::sleep_for(sitting_.scale.block);
    stop_ = true;
    lock.lock();
    changed_.wait(lock, [&] { return busy_ == 0; });
    const std::chrono::duration<double> took = Clock::now() - begin;
    return {static_cast<double>(calls_.load()) / took.count(), {}};
  }

 private:
  void work() {
    const std::unique_ptr<Lane> lane = sitting_.floor.open_lane(sitting_.folder, function_);
    std::unique_lock lock(mutex_);
    int seen = round_;
    ++ready_;
    changed_.notify_all();
    for (;;) {
      changed_.wait(lock, [&] { return ended_ || round_ != seen; });
      if (ended_) return;
      seen = round_;
      const std::string& event = *event_;
      const Lock lock_use = lock_use_;
      lock.unlock();
      const auto call = [&] {
        lane->call(event);
        calls_.fetch_add(1, std::memory_order_relaxed);
      };
      // Each at least once, however long a call takes and whoever has the lock.
      if (lock_use == Lock::kOffered) {
        do lane->hold(call);
        while (!stop_);
      } else {
        lane->hold([&] {
          do call();
          while (!stop_);
        });
      }
      lock.lock();
      --busy_;
      changed_.notify_all();
    }
  }

  Sitting& sitting_;
  const std::string function_;
  std::mutex mutex_;  // guards the members below that are not atomic
  std::condition_variable changed_;
  const std::string* event_ = nullptr;
  Lock lock_use_ = Lock::kKept;
  int ready_ = 0;
  int busy_ = 0;
  int round_ = 0;
  bool ended_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<long> calls_{0};
  std::vector<std::thread> threads_;
};

Rate run_blocking(Sitting& sitting, const std::string& function, const std::string& event, int in_flight) {
  Rate rate;
  std::mutex mutex;  // guards rate
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (int i = 0; i < in_flight; ++i) {
    threads.emplace_back([&] {
      Samples samples;
      while (!stop) {
        samples.add(
            time_of([&] { expect_ok(sitting.gateway.invoke({.function = function, .payload = event})); }));
      }
      const std::lock_guard lock(mutex);
      rate.latency.add(samples);
    });
  }
  std::this_thread::sleep_for(sitting.scale.block);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = Clock::now() - begin;
  rate.per_second = static_cast<double>(rate.latency.size()) / took.count();
  return rate;
}

// Each chain of calls goes on from the answer of its last one, on the thread that `thread` says.
Rate run_callbacks(Sitting& sitting, const std::string& event, int in_flight, lambed::CallbackThread thread) {
  struct Chain {
    Sitting& sitting;
    const std::string& event;
    const lambed::CallbackThread thread;
    std::atomic<bool>& stop;
    std::atomic<int>& left;
    Samples samples;  // of whichever thread has the chain's answer: one at a time

    void next() {
      const auto begin = Clock::now();
      sitting.gateway.invoke(
          {.function = "echo", .payload = event},
          [this, begin](lambed::InvokeResult result) {
            samples.add(Clock::now() - begin);
            expect_ok(result);
            if (stop) {
              --left;
            } else {
              next();
            }
          },
          thread);
    }
  };
  std::atomic<bool> stop{false};
  std::atomic<int> left{in_flight};
  std::vector<std::unique_ptr<Chain>> chains;
  for (int i = 0; i < in_flight; ++i) chains.emplace_back(new Chain{sitting, event, thread, stop, left, {}});
  const auto begin = Clock::now();
  for (const auto& chain : chains) chain->next();
  std::this_thread::sleep_for(sitting.scale.block);
  stop = true;
  while (left > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  const std::chrono::duration<double> took = Clock::now() - begin;
  Rate rate;
  for (const auto& chain : chains) rate.latency.add(chain->samples);
  rate.per_second = static_cast<double>(rate.latency.size()) / took.count();
  return rate;
}

struct Side {
  std::vector<double> rates;
  Samples latency;
  void take(const Rate& rate) {
    rates.push_back(rate.per_second);
    latency.add(rate.latency);
  }
};

double paired_ratio(const Side& ours, const Side& floor) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ours.rates.size(); ++i) ratios.push_back(ours.rates[i] / floor.rates[i]);
  return median(ratios);
}

}  // namespace

void measure_in_flight(Sitting& sitting, int in_flight) {
  std::printf("\n%d in flight (calls per second; ratio: median over %d interleaved blocks)\n", in_flight,
              sitting.scale.repetitions);
  if (sitting.floor.shares_one_lock()) {
    std::printf(
        "  The floor's threads share one interpreter lock: \"kept\" holds it as long as the interpreter lets "
        "them,\n"
        "  \"offered\" lets go of it after each call, as whoever serves callers in turn must.\n");
  }
  sitting.create("echo");
  Table table({"payload", "form", "floor kept", "floor offered", "ours", "ours p50", "ours p99", "to kept",
               "to offered"});
  {
    FloorThreads floor_threads(sitting, in_flight);
    for (const Payload& payload : kPayloads) {
      const std::string event = event_of(payload.size);
      Side kept;
      Side offered;
      Side blocking;
      Side callback;
      Side anywhere;
      run_blocking(sitting, "echo", event, in_flight);  // opens the environments
      // All of them: an init beside the floor's threads, which want the same lock all the time, takes longer than it may.
      while (sitting.gateway.status().opening > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      for (int repetition = 0; repetition < sitting.scale.repetitions; ++repetition) {
        kept.take(floor_threads.run(event, Lock::kKept));
        offered.take(floor_threads.run(event, Lock::kOffered));
        blocking.take(run_blocking(sitting, "echo", event, in_flight));
        callback.take(run_callbacks(sitting, event, in_flight, lambed::CallbackThread::kCoreLoop));
        anywhere.take(run_callbacks(sitting, event, in_flight, lambed::CallbackThread::kAny));
      }
      for (const auto& [form, ours] : {std::pair<const char*, const Side&>{"blocking", blocking},
                                       {"callback", callback},
                                       {"callback, any thread", anywhere}}) {
        table.row({payload.name, form, number_text(median(kept.rates), 0),
                   number_text(median(offered.rates), 0), number_text(median(ours.rates), 0),
                   duration_text(ours.latency.median_ns()), duration_text(ours.latency.quantile_ns(0.99)),
                   number_text(paired_ratio(ours, kept), 2), number_text(paired_ratio(ours, offered), 2)});
        const std::string name = std::to_string(in_flight) + " in flight, " + payload.name + ", " + form;
        sitting.targets.at_least(name + ", against the floor that keeps its lock", paired_ratio(ours, kept),
                                 0.8, "x");
      }
    }
  }
  sitting.gateway.delete_function("echo");
  table.print();
}

void measure_two_threads(Sitting& sitting) {
  if (sitting.floor.shares_one_lock()) return;
  std::printf("\nComputing on 2 threads (calls per second; ratio: median over %d interleaved blocks)\n",
              sitting.scale.repetitions);
  const std::string event = R"({"rounds":100000})";
  sitting.create("compute", "app.compute");
  Side floor_alone;
  Side floor;
  Side ours;
  {
    FloorThreads one(sitting, 1, "compute");
    FloorThreads two(sitting, 2, "compute");
    run_blocking(sitting, "compute", event, 2);
    while (sitting.gateway.status().opening > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (int repetition = 0; repetition < sitting.scale.repetitions; ++repetition) {
      floor_alone.take(one.run(event, Lock::kKept));
      floor.take(two.run(event, Lock::kKept));
      ours.take(run_blocking(sitting, "compute", event, 2));
    }
  }
  sitting.gateway.delete_function("compute");
  Table table({"what", "calls/s"});
  table.row({"floor, one bare environment", number_text(median(floor_alone.rates), 0)});
  table.row({"floor, two bare environments", number_text(median(floor.rates), 0)});
  table.row({"ours, two in flight", number_text(median(ours.rates), 0)});
  table.print();
  sitting.targets.at_least("computing on 2 threads, against two bare environments", paired_ratio(ours, floor),
                           0.9, "x");
}

}  // namespace bench
