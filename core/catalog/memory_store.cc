#include "catalog/memory_store.h"

#include <algorithm>

namespace lambed::catalog {

Entity MemoryStore::entity_of(const std::string& key, const Stored& stored) {
  return {key, stored.bytes, std::to_string(stored.rev)};
}

void MemoryStore::get(const std::string& key, GetDone done) {
  std::optional<Entity> found;
  {
    std::lock_guard lock(mutex_);
    if (const auto it = entities_.find(key); it != entities_.end()) found = entity_of(key, it->second);
  }
  done(StoreStatus::kOk, std::move(found));
}

void MemoryStore::put_if(const std::string& key, std::string bytes, std::optional<Rev> expected,
                         PutDone done) {
  Entity written;
  {
    std::lock_guard writer(writing_);
    bool matches;
    {
      std::lock_guard lock(mutex_);
      const auto it = entities_.find(key);
      matches = it == entities_.end() ? !expected : expected && *expected == std::to_string(it->second.rev);
      if (matches) {
        Stored& stored = entities_[key];
        stored = {std::move(bytes), next_rev_++};
        written = entity_of(key, stored);
      }
    }
    if (matches) report({key, written});
  }
  done(written.key.empty() ? StoreStatus::kConflict : StoreStatus::kOk, std::move(written.rev));
}

void MemoryStore::remove_if(const std::string& key, const Rev& expected, RemoveDone done) {
  bool matches;
  {
    std::lock_guard writer(writing_);
    {
      std::lock_guard lock(mutex_);
      const auto it = entities_.find(key);
      matches = it != entities_.end() && expected == std::to_string(it->second.rev);
      if (matches) entities_.erase(it);
    }
    if (matches) report({key, std::nullopt});
  }
  done(matches ? StoreStatus::kOk : StoreStatus::kConflict);
}

std::vector<Entity> MemoryStore::entities_under(const std::string& prefix) {
  std::vector<Entity> found;
  std::lock_guard lock(mutex_);
  for (auto it = entities_.lower_bound(prefix); it != entities_.end() && it->first.starts_with(prefix);
       ++it) {
    found.push_back(entity_of(it->first, it->second));
  }
  return found;
}

void MemoryStore::list(const std::string& prefix, ListDone done) {
  done(StoreStatus::kOk, entities_under(prefix));
}

std::uint64_t MemoryStore::watch(const std::string& prefix, Watcher watcher) {
  std::lock_guard writer(writing_);
  for (const Entity& entity : entities_under(prefix)) watcher({entity.key, entity});
  watches_.push_back({next_watch_, prefix, std::move(watcher)});
  return next_watch_++;
}

void MemoryStore::unwatch(std::uint64_t id) {
  std::lock_guard writer(writing_);
  watches_.erase(
      std::remove_if(watches_.begin(), watches_.end(), [id](const Watch& watch) { return watch.id == id; }),
      watches_.end());
}

void MemoryStore::report(const Change& change) {
  for (const Watch& watch : watches_) {
    if (change.key.starts_with(watch.prefix)) watch.watcher(change);
  }
}

}  // namespace lambed::catalog
