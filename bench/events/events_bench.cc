// Asynchronous invocations with a queue on disk: how fast events are taken and run, what a million of them costs that wait.
//
//   bench_events [--quick] [--in FOLDER]
//
// Events of 100 bytes, no-op handlers in Python. Each is counted when its answer comes, after the commit that holds it. The floor is
// SQLite alone, in the same sitting and in turns with ours: as many rows of the same size in each transaction as ours had on average.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "catalog/code_packages.h"
#include "events/durable_queue.h"
#include "figures.h"
#include "gateway/core.h"
#include "gateway/durable_storage.h"
#include "storage/schema.h"

namespace {

using namespace std::chrono_literals;
using bench::Clock;
using lambed::Error;
using lambed::InvocationType;
using lambed::InvokeResult;

constexpr int kInFlight = 4096;  // of the client, which waits for answers as real ones do, many at a time

struct Scale {
  int rounds = 5;
  int events = 50'000;  // in a round
  int waiting = 1'000'000;
  int singles = 100;
};

class NoLog final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
};

// {"n":"xxx..."}: 100 bytes.
const std::string& payload() {
  static const std::string text = "{\"n\":\"" + std::string(92, 'x') + "\"}";
  return text;
}

double per_second(int count, bench::Nanos time) {
  return count / std::chrono::duration<double>(time).count();
}

class Bench {
 public:
  explicit Bench(std::string folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
    open();
  }
  ~Bench() { close(); }

  // What was stored before goes on.
  void open() {
    storage_ = std::make_unique<lambed::gateway::DurableStorage>(folder_ + "/data");
    queue_ = std::dynamic_pointer_cast<lambed::events::DurableQueue>(storage_->storage().events);
    opened_ = Clock::now();
    lambed::GatewayOptions options;
    options.log_sink = std::make_shared<NoLog>();
    options.async_close_wait = 10s;
    options.on_event_success = [this](const lambed::EventOutcome& outcome) {
      if (!watched_.empty() && outcome.request_id == watched_)
        watched_end_ = Clock::now().time_since_epoch().count();
      done_.fetch_add(1, std::memory_order_release);
    };
    core_ = std::make_unique<lambed::gateway::Core>(options, storage_->storage(), true);
    for (const char* name : {"backlog", "other", "single"}) {
      if (core_->catalog().directory().find(name) == nullptr)
        core_->catalog()
            .create_function({.name = name,
                              .runtime = "python3.11",
                              .handler = "app.handler",
                              .code = lambed::Code::inline_source(source()),
                              .timeout_s = 900})
            .value();
      core_->engine().invoke({.function = name}, {}).value();
    }
  }
  void close() {
    for (const char* name : {"backlog", "other"}) std::filesystem::remove(flag(name));
    if (storage_ != nullptr) storage_->storage().packages->keep_blobs();  // as the server does at its end
    core_.reset();
    queue_.reset();
    storage_.reset();
  }

  // Events of `function` wait: its one place is taken.
  void hold(const std::string& function) {
    core_->catalog().put_function_concurrency(function, 1).value();
    std::ofstream(flag(function)) << "held";
    core_->engine().invoke(
        {.function = function, .payload = "{\"hold\":\"" + flag(function) + "\"}"}, [](InvokeResult) {},
        lambed::CallbackThread::kAny);
    std::this_thread::sleep_for(200ms);
  }
  void release(const std::string& function) {
    std::filesystem::remove(flag(function));
    core_->catalog().delete_function_concurrency(function).value();
  }

  // The time until `count` events are acknowledged.
  bench::Nanos send(const std::string& function, int count) {
    std::atomic<int> answered{0}, failed{0};
    const auto begin = Clock::now();
    for (int sent = 0; sent < count; ++sent) {
      while (sent - answered.load(std::memory_order_acquire) >= kInFlight) std::this_thread::sleep_for(50us);
      core_->engine().invoke(
          {.function = function, .payload = payload(), .type = InvocationType::kEvent},
          [&](InvokeResult result) {
            if (result.error) ++failed;
            answered.fetch_add(1, std::memory_order_release);
          },
          lambed::CallbackThread::kAny);
    }
    while (answered.load() < count) std::this_thread::sleep_for(50us);
    const auto time = Clock::now() - begin;
    if (failed > 0) throw std::runtime_error(std::to_string(failed) + " events were refused");
    return time;
  }
  long done() const { return done_.load(); }
  // The rate at which `count` events after the first `before` end once the first has: a lane that was held looks again after a pause of seconds.
  double drain(int count, long before) {
    const auto wait_for = [&](long until) {
      auto progress = Clock::now();
      long seen = done_.load();
      while (done_.load(std::memory_order_acquire) < until) {
        if (done_.load() != seen) {
          seen = done_.load();
          progress = Clock::now();
        }
        if (Clock::now() - progress > 30s) {
          const lambed::EventCounts counts = core_->events().counts();
          throw std::runtime_error(
              "events are stuck: " + std::to_string(until - seen) + " of " + std::to_string(count) +
              " to come, " + std::to_string(counts.waiting) + " wait, " + std::to_string(counts.succeeded) +
              " succeeded, " + std::to_string(counts.dropped) + " dropped, " +
              std::to_string(counts.retries) + " retries, " + std::to_string(counts.age_seconds_count) +
              " attempts, trouble: " + queue_->trouble());
        }
        std::this_thread::sleep_for(100us);
      }
      return Clock::now();
    };
    const auto begin = wait_for(before + 1);
    return per_second(count - 1, wait_for(before + count) - begin);
  }
  void wait_until_empty() {
    const auto begin = Clock::now();
    while (queue_->depth() > 0) {
      if (Clock::now() - begin > 600s) throw std::runtime_error("events are stuck");
      std::this_thread::sleep_for(1ms);
    }
  }
  // From the call until the end of one event.
  bench::Nanos one(const std::string& function) {
    const std::string id = "single-" + std::to_string(++singles_);
    watched_end_ = 0;
    watched_ = id;
    const auto begin = Clock::now();
    core_->engine()
        .invoke(
            {.function = function, .payload = payload(), .type = InvocationType::kEvent, .request_id = id},
            {})
        .value();
    while (watched_end_ == 0) std::this_thread::sleep_for(50us);
    return bench::Nanos(watched_end_.load() - begin.time_since_epoch().count());
  }

  std::uint64_t commits() const { return queue_->commits(); }
  std::uint64_t depth() const { return queue_->depth(); }
  Clock::time_point opened() const { return opened_; }

 private:
  static std::string source() {
    return "import os, time\n"
           "def handler(event, context):\n"
           "    if 'hold' in event:\n"
           "        while os.path.exists(event['hold']): time.sleep(0.01)\n";
  }
  std::string flag(const std::string& function) const { return folder_ + "/" + function + ".held"; }

  const std::string folder_;
  std::atomic<long> done_{0};
  std::string watched_;  // set while no event of that id is under way
  std::atomic<long long> watched_end_{0};
  int singles_ = 0;
  Clock::time_point opened_;
  std::unique_ptr<lambed::gateway::DurableStorage> storage_;
  std::shared_ptr<lambed::events::DurableQueue> queue_;
  std::unique_ptr<lambed::gateway::Core> core_;
};

// Rows like ours, so many to a transaction, by SQLite alone.
bench::Nanos floor(const std::string& folder, int count, int batch) {
  const std::string path = folder + "/floor.db";
  for (const char* suffix : {"", "-wal"}) std::filesystem::remove(path + suffix);
  auto connection = lambed::storage::open_database(path);
  lambed::storage::Statement insert(*connection,
                                    "INSERT INTO event (seq, lane, due, attempts, accepted, id, body) VALUES "
                                    "(?1, 1, ?2, 0, ?2, ?3, ?4)");
  const std::string id(16, 'i'), body = payload() + std::string(8, 'b');
  const auto begin = Clock::now();
  for (int row = 0; row < count;) {
    connection->run("BEGIN IMMEDIATE");
    for (int end = std::min(count, row + batch); row < end; ++row)
      insert.bind(1, row + 1)
          .bind(2, 1'764'000'000'000 + row / 100)
          .bind_blob(3, id)
          .bind_blob(4, body)
          .run();
    connection->run("COMMIT");
  }
  return Clock::now() - begin;
}

std::string rate_text(double rate) { return bench::number_text(rate, 0) + "/s"; }

}  // namespace

int main(int argc, char** argv) {
  Scale scale;
  std::string folder = "build";
  for (int at = 1; at < argc; ++at) {
    const std::string argument = argv[at];
    if (argument == "--quick") {
      scale = {2, 5'000, 50'000, 10};
    } else if (argument == "--in" && at + 1 < argc) {
      folder = argv[++at];
    } else {
      std::fprintf(stderr, "bench_events [--quick] [--in FOLDER]\n");
      return 2;
    }
  }
  // Handlers have a working folder of their own.
  folder = std::filesystem::absolute(folder).string() + "/bench-events-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  int status = 0;
  try {
    bench::Targets targets;
    bench::Table table({"", "median", "worst round"});
    const auto row = [&](const std::string& name, std::vector<double> rates) {
      table.row(
          {name, rate_text(bench::median(rates)), rate_text(*std::min_element(rates.begin(), rates.end()))});
    };
    {
      Bench empty(folder + "/empty");  // takes turns with the one whose queue is full
      Bench bench(folder + "/full");
      std::vector<double> ours, floors, drains, ratios;
      double batch = 0;
      for (int round = 0; round < scale.rounds; ++round) {
        bench.hold("other");
        const auto commits = bench.commits();
        ours.push_back(per_second(scale.events, bench.send("other", scale.events)));
        batch = static_cast<double>(scale.events) / static_cast<double>(bench.commits() - commits);
        floors.push_back(
            per_second(scale.events, floor(folder, scale.events, std::max(1, static_cast<int>(batch)))));
        ratios.push_back(ours.back() / floors.back());
        const long before_drain = bench.done();
        bench.release("other");
        drains.push_back(bench.drain(scale.events, before_drain));
        bench.wait_until_empty();
      }
      row("enqueue, empty queue", ours);
      row("  SQLite alone, " + bench::number_text(batch, 0) + " to a commit", floors);
      row("drain of no-ops", drains);
      targets.at_least("durable enqueue", bench::median(ours), 20'000, "/s");
      targets.at_least("durable enqueue against SQLite alone", bench::median(ratios), 0.5, "x");
      targets.at_least("drain of no-op handlers", bench::median(drains), 10'000, "/s");

      bench.hold("backlog");
      const double before = bench::private_memory();
      bench.send("backlog", scale.waiting);
      const double grown = (bench::private_memory() - before) / 1e6;
      std::vector<double> late, late_drains, own, of_enqueue, of_drain;
      const auto take_round = [&](Bench& one, std::vector<double>& sent, std::vector<double>& drained) {
        one.hold("other");
        sent.push_back(per_second(scale.events, one.send("other", scale.events)));
        const long before_drain = one.done();
        one.release("other");
        drained.push_back(one.drain(scale.events, before_drain));
      };
      std::vector<double> beside, beside_drains;
      for (int round = 0; round < scale.rounds; ++round) {
        take_round(empty, beside, beside_drains);
        empty.wait_until_empty();
        take_round(bench, late, late_drains);
        of_enqueue.push_back(late.back() / beside.back());
        of_drain.push_back(late_drains.back() / beside_drains.back());
      }
      const std::string many = std::to_string(bench.depth());
      row("enqueue, " + many + " waiting", late);
      row("drain of another function, " + many + " waiting", late_drains);
      targets.at_most("memory grown by " + many + " waiting events", grown, 50, " MB");
      targets.at_least("enqueue with them against without, in turns", bench::median(of_enqueue), 0.9, "x");
      targets.at_least("dispatch with them against without, in turns", bench::median(of_drain), 0.9, "x");

      bench.release("backlog");
      bench.close();
      const auto begin = Clock::now();
      bench.open();
      const double reopened = std::chrono::duration<double>(bench.opened() - begin).count();
      targets.at_most("reopening the queue with them", reopened, 2, " s");
      for (int round = 0; round < scale.rounds; ++round)
        own.push_back(bench.drain(scale.events / 2, bench.done()));
      row("drain of the backlog itself", own);
      bench::Samples waits;
      for (int i = 0; i < scale.singles && bench.depth() > 1000; ++i) waits.add(bench.one("single"));
      std::printf("One event of another function, %zu times while the backlog runs: median %s, worst %s\n",
                  waits.size(), bench::duration_text(waits.median_ns()).c_str(),
                  bench::duration_text(waits.quantile_ns(1)).c_str());
      targets.at_most("another function's event beside the backlog, worst", waits.quantile_ns(1) / 1e6, 100,
                      " ms");
      bench.close();
      empty.close();
    }
    table.print();
    targets.print();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_events: %s\n", error.what());
    status = 1;
  }
  std::filesystem::remove_all(folder);
  return status;
}
