// A queue whose file cannot be used: takes nothing and holds nothing, and says why. What lies in the file stays there.
#pragma once

#include <string>
#include <utility>

#include "events/queue.h"

namespace lambed::events {

// Threads: as for Queue; answers come on the calling thread before the call returns.
class BrokenQueue final : public Queue {
 public:
  explicit BrokenQueue(std::string trouble) : trouble_(std::move(trouble)) {}

  void enqueue(NewItem item, EnqueueDone done) override { done(Stored::kFailed, item.id); }
  void fetch(const std::string&, std::size_t, std::size_t, Millis, FetchDone done) override {
    Fetched nothing;
    nothing.ok = false;
    done(std::move(nothing));
  }
  void settle(std::vector<Settlement>, SettleDone done) override { done(false); }
  void find(const std::string&, FindDone done) override { done(false, std::nullopt); }
  void lanes(const std::string&, LanesDone done) override { done(false, {}); }
  std::uint64_t depth() const override { return 0; }
  std::string trouble() const override { return trouble_; }
  bool is_durable() const override { return true; }

 private:
  const std::string trouble_;
};

}  // namespace lambed::events
