#include "catalog/durable_store.h"

#include <algorithm>

namespace lambed::catalog {

using storage::Commit;
using storage::Connection;
using storage::Statement;

struct DurableStore::Write {
  std::string key;
  std::optional<std::string> bytes;  // nullopt: remove
  std::optional<std::int64_t> expected;
  std::function<void(StoreStatus, Rev)> done;
  // Of the committer's thread:
  bool applied = false;
  std::int64_t rev = 0;
};

namespace {

std::optional<std::int64_t> number_of(const Rev& rev) {
  if (rev.empty() || rev.size() > 18 || rev.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoll(rev);
}

}  // namespace

DurableStore::DurableStore(std::unique_ptr<Connection> connection) {
  {
    Statement all(*connection, "SELECT key, bytes, rev FROM entity");
    while (all.step()) {
      const std::int64_t rev = all.number(2);
      next_rev_ = std::max(next_rev_, rev + 1);
      entities_.emplace(std::string(all.text(0)), Stored{std::string(all.text(1)), rev});
    }
  }
  committer_ = std::make_unique<storage::Committer>(std::move(connection));
}

DurableStore::~DurableStore() { committer_.reset(); }

std::string DurableStore::trouble() const { return committer_->trouble(); }

Entity DurableStore::entity_of(const std::string& key, const Stored& stored) {
  return {key, stored.bytes, std::to_string(stored.rev)};
}

void DurableStore::get(const std::string& key, GetDone done) {
  std::optional<Entity> found;
  {
    std::lock_guard lock(mutex_);
    if (const auto it = entities_.find(key); it != entities_.end()) found = entity_of(key, it->second);
  }
  done(StoreStatus::kOk, std::move(found));
}

std::vector<Entity> DurableStore::entities_under(const std::string& prefix) {
  std::vector<Entity> found;
  std::lock_guard lock(mutex_);
  for (auto it = entities_.lower_bound(prefix); it != entities_.end() && it->first.starts_with(prefix);
       ++it) {
    found.push_back(entity_of(it->first, it->second));
  }
  return found;
}

void DurableStore::list(const std::string& prefix, ListDone done) {
  done(StoreStatus::kOk, entities_under(prefix));
}

void DurableStore::put_if(const std::string& key, std::string bytes, std::optional<Rev> expected,
                          PutDone done) {
  auto write = std::make_shared<Write>();
  write->key = key;
  write->bytes = std::move(bytes);
  write->done = std::move(done);
  if (expected) {
    write->expected = number_of(*expected);
    if (!write->expected) return write->done(StoreStatus::kConflict, {});  // no rev of ours
  }
  committer_->submit(
      [this, write](Connection& connection) {
        look_again(connection);
        write->applied = false;
        write->rev = next_rev_++;
        Statement statement(connection,
                            write->expected
                                ? "UPDATE entity SET bytes = ?1, rev = ?2 WHERE key = ?3 AND rev = ?4"
                                : "INSERT OR IGNORE INTO entity (bytes, rev, key) VALUES (?1, ?2, ?3)");
        statement.bind_blob(1, *write->bytes).bind(2, write->rev).bind(3, write->key);
        if (write->expected) statement.bind(4, *write->expected);
        statement.run();
        write->applied = connection.changes() > 0;
      },
      [this, write](Commit commit) { settle(write, commit); });
}

void DurableStore::remove_if(const std::string& key, const Rev& expected, RemoveDone done) {
  auto write = std::make_shared<Write>();
  write->key = key;
  write->expected = number_of(expected);
  write->done = [done = std::move(done)](StoreStatus status, const Rev&) { done(status); };
  if (!write->expected) return write->done(StoreStatus::kConflict, {});
  committer_->submit(
      [this, write](Connection& connection) {
        look_again(connection);
        write->applied = false;
        Statement statement(connection, "DELETE FROM entity WHERE key = ?1 AND rev = ?2");
        statement.bind(1, write->key).bind(2, *write->expected).run();
        write->applied = connection.changes() > 0;
      },
      [this, write](Commit commit) { settle(write, commit); });
}

// On the committer's thread, in the order of the commits: the copy, then the watchers, then whoever wrote.
void DurableStore::settle(const std::shared_ptr<Write>& write, Commit commit) {
  if (commit == Commit::kUnknown) doubtful_.insert(write->key);
  if (commit != Commit::kDone) {
    return write->done(commit == Commit::kRefused ? StoreStatus::kFailed : StoreStatus::kUnknown, {});
  }
  if (!write->applied) return write->done(StoreStatus::kConflict, {});
  std::optional<Stored> now;
  if (write->bytes) now = Stored{std::move(*write->bytes), write->rev};
  show(write->key, std::move(now));
  write->done(StoreStatus::kOk, std::to_string(write->rev));
}

void DurableStore::show(const std::string& key, std::optional<Stored> now) {
  Change change{key, std::nullopt};
  std::lock_guard telling(watching_);
  {
    std::lock_guard lock(mutex_);
    if (now) {
      Stored& stored = entities_[key];
      stored = std::move(*now);
      change.entity = entity_of(key, stored);
    } else {
      entities_.erase(key);
    }
  }
  for (const Watch& watch : watches_) {
    if (key.starts_with(watch.prefix)) watch.watcher(change);
  }
}

// After an error of the disk the copy may be behind the database or before it.
void DurableStore::look_again(Connection& connection) {
  while (!doubtful_.empty()) {
    const std::string key = *doubtful_.begin();
    Statement one(connection, "SELECT bytes, rev FROM entity WHERE key = ?1");
    one.bind(1, key);
    std::optional<Stored> now;
    if (one.step()) now = Stored{std::string(one.text(0)), one.number(1)};
    bool differs;
    {
      std::lock_guard lock(mutex_);
      const auto it = entities_.find(key);
      differs = it == entities_.end() ? now.has_value() : !now || now->rev != it->second.rev;
    }
    if (differs) show(key, std::move(now));
    doubtful_.erase(key);
  }
}

std::uint64_t DurableStore::watch(const std::string& prefix, Watcher watcher) {
  std::lock_guard telling(watching_);
  for (const Entity& entity : entities_under(prefix)) watcher({entity.key, entity});
  watches_.push_back({next_watch_, prefix, std::move(watcher)});
  return next_watch_++;
}

void DurableStore::unwatch(std::uint64_t id) {
  std::lock_guard telling(watching_);
  watches_.erase(
      std::remove_if(watches_.begin(), watches_.end(), [id](const Watch& w) { return w.id == id; }),
      watches_.end());
}

}  // namespace lambed::catalog
