// A queue in a database: what it has taken is on the disk, and stays there through power cuts until it is acknowledged.
//
// In memory it keeps one record for each lane ever used and one number for each held item, nothing for those that wait.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "events/queue.h"
#include "storage/committer.h"

namespace lambed::events {

// Threads: as for Queue; answers come on the committer's thread. Life: the destructor commits what was asked for before.
class DurableQueue final : public Queue {
 public:
  // `connection` is at storage::kSchemaVersion and nobody else's. Throws storage::Failure.
  DurableQueue(std::unique_ptr<storage::Connection> connection, std::shared_ptr<Random> random);
  ~DurableQueue() override;

  void enqueue(NewItem item, EnqueueDone done) override;
  void fetch(const std::string& lane, std::size_t most, std::size_t most_bytes, Millis now,
             FetchDone done) override;
  void settle(std::vector<Settlement> settlements, SettleDone done) override;
  void find(const std::string& id, FindDone done) override;
  void lanes(const std::string& prefix, LanesDone done) override;
  std::uint64_t depth() const override { return depth_.load(std::memory_order_relaxed); }
  std::string trouble() const override { return committer_->trouble(); }
  bool is_durable() const override { return true; }
  std::uint64_t commits() const { return committer_->commits(); }

 private:
  struct Lane {
    std::int64_t id;
    std::string name;
    // Of the committer's thread:
    bool is_stored = false;
    std::size_t held = 0;
  };
  // An item on its way into the database.
  struct Row {
    Lane* lane;
    Token seq;
    Millis at;
    std::string id;  // 16 bytes, or a name
    bool is_named;
    std::string body;
    bool is_duplicate = false;
  };
  class EnqueueJob;
  class FetchJob;
  class SettleJob;
  struct Statements;

  // With submitting_ held.
  Lane* lane_of(const std::string& name);
  Row row_of(NewItem item);

  // On the committer's thread:
  Statements& statements(storage::Connection& connection);
  void insert(storage::Connection& connection, Row& row);
  void hold(Lane& lane, Token token);
  void let_go(Token token);

  const std::shared_ptr<Random> random_;
  std::atomic<std::uint64_t> depth_{0};
  std::mutex
      submitting_;  // guards what follows; held while jobs are submitted, so that their order is that of the numbers
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::int64_t next_lane_ = 1;
  Token next_ = 1;
  Millis latest_ = 0;
  // Of the committer's thread:
  std::unordered_map<Token, Lane*> held_;
  std::unique_ptr<Statements> statements_;
  std::unique_ptr<storage::Committer> committer_;  // last: ends first, and its answers use the rest
};

}  // namespace lambed::events
