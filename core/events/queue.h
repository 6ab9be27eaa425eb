// The store of what waits: events to be run and deliveries to be made, in lanes. Narrow enough for a second implementation on a
// replicated log: nothing above may rely on SQL, on transactions, on exact counts or on an order between lanes.
//
// At least once: an item stays until it is acknowledged. Within a lane items come in the order in which they are due, and among
// those due at once in the order in which they were put in; a new item is due when it is put in.
// Leases: a fetched item is the fetcher's until it is settled or the fetcher's connection to the store ends, with the process for
// both implementations here (a replicated one renews one lease for the connection, not one for each item).
//
// Threads: any thread may call any method. Answers come exactly once, on a thread of the store or on the calling thread before the
// call returns; they must not block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lambed::events {

// Since 1970, of the clock of whoever puts in and fetches.
using Millis = std::int64_t;
inline constexpr Millis kNotDue = INT64_MAX;

using Token = std::int64_t;

struct NewItem {
  std::string lane;
  std::string id;  // "": the queue makes one, a UUID
  std::string body;
  Millis now = 0;
};

enum class Stored : std::uint8_t {
  kStored,
  kDuplicate,  // there is an item of that id; nothing was changed
  kFull,       // the bound of a bounded queue; nothing was changed
  kFailed,     // it did not happen, and will not when tried again at once: trouble() says why
  kUnknown     // the store cannot say whether it happened
};

struct Item {
  Token token = 0;
  std::string id;
  int attempts = 0;  // as the last nak said
  Millis accepted = 0;
  Millis due = 0;
  std::string body;
};

struct Fetched {
  bool ok = true;  // false: the store could not read; trouble() says why
  std::vector<Item> items;
  bool has_more = false;      // more are due now
  Millis next_due = kNotDue;  // of the first that is not due yet
};

// What becomes of an item. Doing it twice is doing it once.
struct Settlement {
  enum class Kind : std::uint8_t {
    kAck,  // it is over. `follow_ups`, whose ids the caller makes, are stored no later than the item is gone
    kNak   // not now: due again at `due`, with `attempts`
  };
  Token token = 0;
  Kind kind = Kind::kAck;
  Millis due = 0;
  int attempts = 0;
  std::vector<NewItem> follow_ups = {};
};

// An item that waits or is held.
struct Found {
  std::string lane;
  std::string id;
  int attempts = 0;
  Millis accepted = 0;
  Millis due = 0;
};

class Queue {
 public:
  // `id`: the item's.
  using EnqueueDone = std::function<void(Stored, const std::string& id)>;
  using FetchDone = std::function<void(Fetched)>;
  // False: none of it is sure to have happened; settle it again.
  using SettleDone = std::function<void(bool)>;
  using FindDone = std::function<void(bool ok, std::optional<Found>)>;
  using LanesDone = std::function<void(bool ok, std::vector<std::string>)>;

  virtual ~Queue() = default;

  virtual void enqueue(NewItem item, EnqueueDone done) = 0;
  // Items of one lane that are due at `now` and that nobody holds: at most `most`, and no more after `most_bytes` of bodies.
  virtual void fetch(const std::string& lane, std::size_t most, std::size_t most_bytes, Millis now,
                     FetchDone done) = 0;
  virtual void settle(std::vector<Settlement> settlements, SettleDone done) = 0;
  virtual void find(const std::string& id, FindDone done) = 0;
  // Lanes with items whose names begin so.
  virtual void lanes(const std::string& prefix, LanesDone done) = 0;
  // Items that wait or are held, about.
  virtual std::uint64_t depth() const = 0;
  // What keeps the store from working, in words for the operator; empty: nothing.
  virtual std::string trouble() const { return {}; }
  // Whether what is stored outlives the process.
  virtual bool is_durable() const = 0;
};

}  // namespace lambed::events
