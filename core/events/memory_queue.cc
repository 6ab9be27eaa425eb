#include "events/memory_queue.h"

#include <algorithm>

#include "events/item_ids.h"

namespace lambed::events {

Stored MemoryQueue::put(NewItem& item, bool is_follow_up, std::string* id) {
  if (!item.id.empty() && named_.count(item.id) != 0) return Stored::kDuplicate;
  if (!is_follow_up && (kept_.size() >= bounds_.items || bytes_ + item.body.size() > bounds_.bytes))
    return Stored::kFull;
  const Token token = next_++;
  auto& lane = lanes_[item.lane];
  if (lane == nullptr) {
    lane = std::make_unique<Lane>();
    lane->name = item.lane;
  }
  // A clock that was set back must not change the order.
  latest_ = std::max(latest_, item.now);
  const bool is_named = !item.id.empty();
  if (is_named) named_.emplace(item.id, token);
  Kept kept{lane.get(),
            {token, is_named ? item.id : shown_item_id(make_item_id(token, *random_)), 0, latest_, latest_,
             std::move(item.body)},
            is_named};
  if (id != nullptr) *id = kept.item.id;
  bytes_ += kept.item.body.size();
  ++lane->items;
  lane->waiting.emplace(std::pair{latest_, token}, token);
  kept_.emplace(token, std::move(kept));
  depth_.store(kept_.size(), std::memory_order_relaxed);
  return Stored::kStored;
}

void MemoryQueue::enqueue(NewItem item, EnqueueDone done) {
  Stored end;
  std::string id = item.id;
  {
    std::lock_guard lock(mutex_);
    end = put(item, false, &id);
  }
  done(end, id);
}

void MemoryQueue::fetch(const std::string& lane, std::size_t most, std::size_t most_bytes, Millis now,
                        FetchDone done) {
  Fetched fetched;
  {
    std::lock_guard lock(mutex_);
    const auto found = lanes_.find(lane);
    if (found != lanes_.end()) {
      auto& waiting = found->second->waiting;
      std::size_t bytes = 0;
      while (!waiting.empty()) {
        const auto first = waiting.begin();
        if (first->first.first > now) {
          fetched.next_due = first->first.first;
          break;
        }
        if (fetched.items.size() >= most || bytes >= most_bytes) {
          fetched.has_more = true;
          break;
        }
        Kept& kept = kept_.find(first->second)->second;
        kept.is_held = true;
        bytes += kept.item.body.size();
        fetched.items.push_back(kept.item);
        waiting.erase(first);
      }
    }
  }
  done(std::move(fetched));
}

void MemoryQueue::remove(std::unordered_map<Token, Kept>::iterator it) {
  Kept& kept = it->second;
  Lane* const lane = kept.lane;
  if (!kept.is_held) lane->waiting.erase({kept.item.due, kept.item.token});
  if (kept.is_named) named_.erase(kept.item.id);
  bytes_ -= kept.item.body.size();
  kept_.erase(it);
  if (--lane->items == 0) lanes_.erase(std::string(lane->name));
}

void MemoryQueue::settle(std::vector<Settlement> settlements, SettleDone done) {
  {
    std::lock_guard lock(mutex_);
    for (Settlement& settlement : settlements) {
      const auto it = kept_.find(settlement.token);
      if (it == kept_.end()) continue;  // settled before
      for (NewItem& item : settlement.follow_ups) put(item, true, nullptr);
      // put may have moved the table.
      const auto again = kept_.find(settlement.token);
      if (settlement.kind == Settlement::Kind::kAck) {
        remove(again);
      } else {
        Kept& kept = again->second;
        if (!kept.is_held) kept.lane->waiting.erase({kept.item.due, kept.item.token});
        kept.is_held = false;
        kept.item.due = settlement.due;
        kept.item.attempts = settlement.attempts;
        kept.lane->waiting.emplace(std::pair{settlement.due, kept.item.token}, kept.item.token);
      }
    }
    depth_.store(kept_.size(), std::memory_order_relaxed);
  }
  done(true);
}

void MemoryQueue::find(const std::string& id, FindDone done) {
  std::optional<Found> found;
  {
    std::lock_guard lock(mutex_);
    Token token = 0;
    if (const auto named = named_.find(id); named != named_.end()) {
      token = named->second;
    } else if (const auto parsed = parse_item_id(id)) {
      token = parsed->number;
    }
    if (const auto it = kept_.find(token); it != kept_.end() && it->second.item.id == id) {
      const Item& item = it->second.item;
      found = Found{it->second.lane->name, item.id, item.attempts, item.accepted, item.due};
    }
  }
  done(true, std::move(found));
}

void MemoryQueue::lanes(const std::string& prefix, LanesDone done) {
  std::vector<std::string> names;
  {
    std::lock_guard lock(mutex_);
    for (auto it = lanes_.lower_bound(prefix); it != lanes_.end() && it->first.starts_with(prefix); ++it)
      names.push_back(it->first);
  }
  done(true, std::move(names));
}

}  // namespace lambed::events
