// The catalogue's store in a database: every write is on the disk before it is answered.
//
// Reads come from a copy in memory, which the committer's thread keeps equal to the database. Answers to writes and reports to
// watchers come on that thread, in the order of the commits.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "storage/committer.h"

namespace lambed::catalog {

class DurableStore final : public Store {
 public:
  // `connection` is at storage::kSchemaVersion and nobody else's. Reads all entities; throws storage::Failure.
  explicit DurableStore(std::unique_ptr<storage::Connection> connection);
  ~DurableStore() override;

  void get(const std::string& key, GetDone done) override;
  void put_if(const std::string& key, std::string bytes, std::optional<Rev> expected, PutDone done) override;
  void remove_if(const std::string& key, const Rev& expected, RemoveDone done) override;
  void list(const std::string& prefix, ListDone done) override;
  std::uint64_t watch(const std::string& prefix, Watcher watcher) override;
  void unwatch(std::uint64_t watch) override;
  std::string trouble() const override;
  std::uint64_t commits() const { return committer_->commits(); }

 private:
  struct Stored {
    std::string bytes;
    std::int64_t rev;
  };
  struct Watch {
    std::uint64_t id;
    std::string prefix;
    Watcher watcher;
  };
  struct Write;

  static Entity entity_of(const std::string& key, const Stored& stored);
  std::vector<Entity> entities_under(const std::string& prefix);
  void settle(const std::shared_ptr<Write>& write, storage::Commit commit);
  void show(const std::string& key, std::optional<Stored> now);
  void look_again(storage::Connection& connection);

  std::mutex watching_;  // held while watchers are told; guards watches_ and next_watch_
  std::vector<Watch> watches_;
  std::uint64_t next_watch_ = 1;
  std::mutex mutex_;  // guards entities_; never held while a callback runs
  std::map<std::string, Stored> entities_;
  // Of the committer's thread:
  std::int64_t next_rev_ = 1;
  std::set<std::string>
      doubtful_;  // keys of writes that nobody knows the end of; read again before the next write
  std::unique_ptr<storage::Committer> committer_;  // last: ends first, and its answers use the rest
};

}  // namespace lambed::catalog
