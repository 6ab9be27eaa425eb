// A queue in memory, bounded: what it holds is gone with the process, and beyond its bounds it takes nothing.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "events/queue.h"

namespace lambed::events {

// Threads: as for Queue; answers come on the calling thread before the call returns.
class MemoryQueue final : public Queue {
 public:
  struct Bounds {
    std::size_t items = 100'000;
    std::size_t bytes = 256 << 20;  // of bodies
  };
  MemoryQueue(Bounds bounds, std::shared_ptr<Random> random) : bounds_(bounds), random_(std::move(random)) {}

  void enqueue(NewItem item, EnqueueDone done) override;
  void fetch(const std::string& lane, std::size_t most, std::size_t most_bytes, Millis now,
             FetchDone done) override;
  void settle(std::vector<Settlement> settlements, SettleDone done) override;
  void find(const std::string& id, FindDone done) override;
  void lanes(const std::string& prefix, LanesDone done) override;
  std::uint64_t depth() const override { return depth_.load(std::memory_order_relaxed); }
  bool is_durable() const override { return false; }

 private:
  struct Lane {
    std::string name;
    std::map<std::pair<Millis, Token>, Token> waiting;
    std::size_t items = 0;  // held ones included
  };
  struct Kept {
    Lane* lane;
    Item item;
    bool is_named;
    bool is_held = false;
  };

  // With mutex_ held. Follow-ups are taken beyond the bounds: they stand for an item that is gone, and nothing may be lost.
  Stored put(NewItem& item, bool is_follow_up, std::string* id);
  void remove(std::unordered_map<Token, Kept>::iterator it);

  const Bounds bounds_;
  const std::shared_ptr<Random> random_;
  std::atomic<std::uint64_t> depth_{0};
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::unordered_map<Token, Kept> kept_;
  std::unordered_map<std::string, Token> named_;
  std::size_t bytes_ = 0;
  Token next_ = 1;
  Millis latest_ = 0;
};

}  // namespace lambed::events
