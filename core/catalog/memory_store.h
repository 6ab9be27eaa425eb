// The catalogue's store in memory.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "catalog/store.h"

namespace lambed::catalog {

// Answers on the calling thread before the call returns. Writes and their reports to watchers are one after the other, so
// a watcher may read and must not write; reads never wait for watchers.
class MemoryStore final : public Store {
 public:
  void get(const std::string& key, GetDone done) override;
  void put_if(const std::string& key, std::string bytes, std::optional<Rev> expected, PutDone done) override;
  void remove_if(const std::string& key, const Rev& expected, RemoveDone done) override;
  void list(const std::string& prefix, ListDone done) override;
  std::uint64_t watch(const std::string& prefix, Watcher watcher) override;
  void unwatch(std::uint64_t watch) override;

 private:
  struct Watch {
    std::uint64_t id;
    std::string prefix;
    Watcher watcher;
  };
  struct Stored {
    std::string bytes;
    std::uint64_t rev;
  };

  static Entity entity_of(const std::string& key, const Stored& stored);
  std::vector<Entity> entities_under(const std::string& prefix);
  void report(const Change& change);

  std::mutex
      writing_;  // held by a writer from its check until all watchers were told; guards watches_, next_watch_
  std::vector<Watch> watches_;
  std::uint64_t next_watch_ = 1;
  std::mutex mutex_;  // guards entities_ and next_rev_; never held while a callback runs
  std::map<std::string, Stored> entities_;
  std::uint64_t next_rev_ = 1;
};

}  // namespace lambed::catalog
