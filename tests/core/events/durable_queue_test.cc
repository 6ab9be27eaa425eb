// The queue on disk: what was acknowledged is there afterwards, whatever happens to the power or the disk.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "core/events/queues.h"
#include "events/durable_queue.h"
#include "storage/schema.h"
#include "support/cutting_vfs.h"

using namespace lambed;
using namespace lambed::events;
using namespace lambed::testing;

namespace {

std::unique_ptr<DurableQueue> open(CuttingDisk& disk) {
  return std::make_unique<DurableQueue>(storage::open_database("db", disk.name()),
                                        std::make_shared<SystemRandom>());
}

int cuts() {
  const char* text = std::getenv("LAMBED_TEST_LONG");
  return text != nullptr && std::string(text) == "yes" ? 1000 : 150;
}

// What clients and a dispatcher know of the queue's items, by body.
struct Ledger {
  std::mutex mutex;
  std::set<std::string> stored;         // answered kStored, not acknowledged yet
  std::set<std::string> perhaps;        // asked for without an answer that settles it, either way
  std::set<std::string> gone;           // acknowledged, and the acknowledgement answered
  std::map<std::string, int> attempts;  // put off, and that answered
};

constexpr int kLanes = 3;

std::string lane_of(std::uint64_t number) { return "lane" + std::to_string(number % kLanes); }

// A client: puts items in until the power goes.
void enqueue_until_cut(DurableQueue& queue, CuttingDisk& disk, Ledger& ledger, const std::string& prefix,
                       std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; !disk.is_cut() && i < 300; ++i) {
    const std::string body = prefix + std::to_string(i) + std::string(random() % 6000, '.');
    const Stored end = put(queue, lane_of(random()), body).end;
    std::lock_guard lock(ledger.mutex);
    if (end == Stored::kStored) {
      // The dispatcher may have been quicker.
      if (ledger.gone.count(body) == 0 && ledger.perhaps.count(body) == 0) ledger.stored.insert(body);
    } else if (end == Stored::kUnknown) {
      ledger.perhaps.insert(body);
    }
  }
}

// A dispatcher: fetches, acknowledges most, puts some off.
void run_until_cut(DurableQueue& queue, CuttingDisk& disk, Ledger& ledger, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; !disk.is_cut() && i < 300; ++i) {
    const Fetched fetched = fetch(queue, lane_of(random()), 1 + random() % 8);
    for (const Item& item : fetched.items) {
      const bool is_nak = random() % 4 == 0;
      const bool is_done =
          is_nak ? settle(queue, {{item.token, Settlement::Kind::kNak, 1000, item.attempts + 1}})
                 : ack(queue, item.token);
      std::lock_guard lock(ledger.mutex);
      if (is_nak) {
        if (is_done) ledger.attempts[item.body] = item.attempts + 1;
        continue;
      }
      ledger.stored.erase(item.body);
      (is_done ? ledger.gone : ledger.perhaps).insert(item.body);
      if (is_done) ledger.perhaps.erase(item.body);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(events_durable_queue)

BOOST_AUTO_TEST_CASE(what_waits_is_there_when_opened_again) {
  CuttingDisk disk("queue-reopened");
  std::string first, second;
  {
    const auto queue = open(disk);
    first = put(*queue, "a", "1", 1000).id;
    second = put(*queue, "a", "2", 1000, "named").id;
    put(*queue, "b", "3", 2000);
    ack(*queue, fetch(*queue, "b", 1, 2000).items.at(0).token);
    const Item item = fetch(*queue, "a", 1).items.at(0);
    settle(*queue, {{item.token, Settlement::Kind::kNak, 9000, 2}});
    fetch(*queue, "a");  // held, and not settled: it is free again
  }
  const auto queue = open(disk);
  BOOST_TEST(queue->depth() == 2u);
  BOOST_TEST(lanes(*queue, "") == (std::vector<std::string>{"a"}));
  BOOST_TEST(find(*queue, first)->attempts == 2);
  const Fetched fetched = fetch(*queue, "a", 10, 9000);
  BOOST_REQUIRE(fetched.items.size() == 2u);
  BOOST_TEST(fetched.items[0].id == "named");
  BOOST_TEST(fetched.items[1].id == first);
  // Later ones come later, also by a clock that was set back meanwhile.
  put(*queue, "a", "4", 10);
  BOOST_TEST(fetch(*queue, "a", 10, 10'000).items.at(0).accepted >= 1000);
}

BOOST_AUTO_TEST_CASE(an_answer_comes_after_its_commit) {
  CuttingDisk disk("queue-commit");
  auto queue = open(disk);
  const auto before = queue->commits();
  put(*queue, "a", "1");
  BOOST_TEST(queue->commits() == before + 1);
  // The power goes right after the answer.
  disk.cut_after(0);
  queue.reset();
  std::mt19937_64 random(1);
  disk.restore(random);
  BOOST_TEST(fetch(*open(disk), "a").items.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_in_words_and_loses_nothing) {
  CuttingDisk disk("queue-full");
  const auto queue = open(disk);
  put(*queue, "a", "1");
  disk.fill_after(100'000);
  int stored = 1;
  Put last{};
  for (int i = 0; i < 100; ++i) {
    last = put(*queue, "a", std::string(10'000, 'x'));
    if (last.end != Stored::kStored) break;
    ++stored;
  }
  BOOST_TEST((last.end == Stored::kFailed));
  BOOST_TEST(queue->trouble().find("full") != std::string::npos, queue->trouble());
  BOOST_TEST(queue->depth() == static_cast<std::uint64_t>(stored));
  // What is there can be read and, with room, acknowledged.
  const Fetched fetched = fetch(*queue, "a", 1000);
  BOOST_TEST(fetched.items.size() == static_cast<std::size_t>(stored));
  disk.fill_after(UINT64_MAX);
  for (const Item& item : fetched.items) BOOST_TEST(ack(*queue, item.token));
  BOOST_TEST((put(*queue, "a", "2").end == Stored::kStored));
  BOOST_TEST(queue->trouble() == "");
}

BOOST_AUTO_TEST_CASE(a_disk_that_became_read_only_refuses_and_loses_nothing) {
  CuttingDisk disk("queue-read-only");
  auto connection = storage::open_database("db", disk.name());
  storage::Connection* const raw = connection.get();
  DurableQueue queue(std::move(connection), std::make_shared<SystemRandom>());
  put(queue, "a", "1");
  put(queue, "a", "2");
  const Item held = fetch(queue, "a", 1).items.at(0);
  raw->run(
      "PRAGMA query_only = ON");  // as SQLite finds it when the file system was mounted anew; nobody else uses it now
  BOOST_TEST((put(queue, "a", "3").end == Stored::kFailed));
  BOOST_TEST(queue.trouble().find("readonly") != std::string::npos, queue.trouble());
  BOOST_TEST(!ack(queue, held.token));
  // Nothing is begun whose end could not be written.
  BOOST_TEST(!fetch(queue, "a").ok);
  raw->run("PRAGMA query_only = OFF");
  BOOST_TEST(ack(queue, held.token));
  const Item item = fetch(queue, "a").items.at(0);
  BOOST_TEST(ack(queue, item.token));
  BOOST_TEST(queue.depth() == 0u);
}

BOOST_AUTO_TEST_CASE(no_power_cut_loses_an_event_that_was_acknowledged) {
  std::mt19937_64 random(20251124);
  CuttingDisk disk("queue-cuts");
  Ledger ledger;
  int lost = 0, returned = 0, forgotten = 0, cut_with_work = 0, seen = 0;
  for (int round = 0; round < cuts(); ++round) {
    std::unique_ptr<DurableQueue> queue;
    disk.cut_after(1 + random() % 500);
    try {
      queue = open(disk);
    } catch (const storage::Failure&) {
      // cut while it was opened
    }
    if (queue != nullptr) {
      ++cut_with_work;
      std::vector<std::thread> threads;
      for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t, seed = random()] {
          const std::string prefix = std::to_string(round) + "/" + std::to_string(t) + "/";
          enqueue_until_cut(*queue, disk, ledger, prefix, seed);
        });
      }
      threads.emplace_back([&, seed = random()] { run_until_cut(*queue, disk, ledger, seed); });
      for (std::thread& thread : threads) thread.join();
      queue.reset();
    }
    disk.restore(random);
    auto connection = storage::open_database("db", disk.name());
    BOOST_TEST(connection->text("PRAGMA integrity_check") == "ok");
    DurableQueue after(std::move(connection), std::make_shared<SystemRandom>());
    std::set<std::string> found;
    std::vector<Settlement> all;
    for (std::uint64_t lane = 0; lane < kLanes; ++lane) {
      for (const Item& item : fetch(after, lane_of(lane), 1'000'000, 1000, SIZE_MAX).items) {
        all.push_back({item.token, Settlement::Kind::kAck});
        found.insert(item.body);
        const auto known = ledger.attempts.find(item.body);
        if (known != ledger.attempts.end() && item.attempts < known->second) ++forgotten;
      }
    }
    BOOST_TEST(after.depth() == found.size());
    seen += static_cast<int>(found.size());
    for (const std::string& body : ledger.stored) lost += found.count(body) == 0 ? 1 : 0;
    for (const std::string& body : ledger.gone) returned += found.count(body) != 0 ? 1 : 0;
    // From here on it is known what there is. Now and then all of it goes, so that rounds do not become longer and longer.
    if (found.size() > 300) {
      BOOST_TEST(settle(after, std::move(all)));
      found.clear();
    }
    ledger.stored = found;
    ledger.perhaps.clear();
    ledger.gone.clear();
    ledger.attempts.clear();
  }
  BOOST_TEST(lost == 0);
  BOOST_TEST(returned == 0);
  BOOST_TEST(forgotten == 0);
  BOOST_TEST(cut_with_work > cuts() / 2);
  BOOST_TEST(seen > 0);
}

BOOST_AUTO_TEST_SUITE_END()
