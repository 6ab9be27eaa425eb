// The interfaces behind which the catalogue keeps its entities and its code. Narrow enough for a second
// implementation on SQLite or on a replicated log: nothing above them may rely on SQL, on transactions over
// several keys, or on being alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambed::catalog {

// The opaque mark of one state of one entity; only equality means anything.
using Rev = std::string;

struct Entity {
  std::string key;
  std::string bytes;
  Rev rev;
};

enum class StoreStatus {
  kOk,
  kConflict,  // the entity is not (any more) in the state the caller named; nothing was changed
  kUnknown,   // the store cannot say whether it happened: read again before deciding
  kFailed     // it did not happen, and will not when tried again at once; Store::trouble says why
};

// Entities by key.
// Threads: any thread may call any method. Answers come exactly once, on the calling thread before the call
// returns or on a thread of the store; a store never answers on the core loop's thread, whose callers may be
// waiting for the answer. Watchers of this process have been told of a write before that write is answered,
// so that who writes reads his writes.
class Store {
 public:
  struct Change {
    std::string key;
    std::optional<Entity> entity;  // nullopt: removed
  };
  using GetDone = std::function<void(StoreStatus, std::optional<Entity>)>;
  using PutDone = std::function<void(StoreStatus, Rev)>;
  using RemoveDone = std::function<void(StoreStatus)>;
  using ListDone = std::function<void(StoreStatus, std::vector<Entity>)>;
  using Watcher = std::function<void(const Change&)>;

  virtual ~Store() = default;

  virtual void get(const std::string& key, GetDone done) = 0;
  // `expected`: the rev that must be there now; nullopt: the key must be absent.
  virtual void put_if(const std::string& key, std::string bytes, std::optional<Rev> expected,
                      PutDone done) = 0;
  virtual void remove_if(const std::string& key, const Rev& expected, RemoveDone done) = 0;
  // In the order of the keys.
  virtual void list(const std::string& prefix, ListDone done) = 0;

  // Reports first every entity there is under `prefix`, then every change. Changes of one key come in order
  // and never two at a time. A watcher must not write to the store. Those there were at the time of the call
  // are reported before it returns.
  virtual std::uint64_t watch(const std::string& prefix, Watcher watcher) = 0;
  // No report is running or comes any more when this returns.
  virtual void unwatch(std::uint64_t watch) = 0;

  // What keeps the store from writing, in words for the operator: "the disk of /data is full". Empty: nothing.
  virtual std::string trouble() const { return {}; }
};

// Large immutable contents by their SHA-256 (64 lower-case hexadecimal digits).
// Threads and answers: as for Store.
class Blobs {
 public:
  // Yields the next piece, empty at the end. Called until it has yielded an empty piece.
  using Source = std::function<std::string_view()>;
  // Takes the next piece; false stops the reading.
  using Sink = std::function<bool(std::string_view)>;
  using Done = std::function<void(StoreStatus)>;
  using ExistsDone = std::function<void(StoreStatus, bool)>;

  virtual ~Blobs() = default;
  // kConflict: the pieces do not have that digest; nothing was stored. Storing what is already there is kOk.
  virtual void put(const std::string& sha256, Source source, Done done) = 0;
  // kConflict: there is no such content.
  virtual void get(const std::string& sha256, Sink sink, Done done) = 0;
  virtual void exists(const std::string& sha256, ExistsDone done) = 0;
  virtual void remove(const std::string& sha256, Done done) = 0;
  // As Store::trouble.
  virtual std::string trouble() const { return {}; }
};

}  // namespace lambed::catalog
