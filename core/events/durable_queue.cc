#include "events/durable_queue.h"

#include <algorithm>
#include <utility>

#include "events/item_ids.h"

namespace lambed::events {

using storage::Commit;
using storage::Committer;
using storage::Connection;
using storage::Statement;

namespace {

// So many items may share a transaction: at a hundred bytes each the disk is better used by far than with the catalogue's number.
constexpr std::size_t kMostTogether = 1024;
// An empty database keeps at most so many pages of those that a backlog once needed.
constexpr std::int64_t kFreePages = 1024;

}  // namespace

// Prepared once: parsing SQL takes longer than what it does here.
struct DurableQueue::Statements {
  explicit Statements(Connection& c)
      : put_lane(c, "INSERT OR IGNORE INTO lane (id, name) VALUES (?1, ?2)"),
        named(c, "SELECT seq FROM event WHERE id = ?1 AND typeof(id) = 'text'"),
        put(c,
            "INSERT INTO event (seq, lane, due, attempts, accepted, id, body) VALUES (?1, ?2, ?3, 0, ?3, ?4, "
            "?5) "
            "ON CONFLICT (seq) DO NOTHING"),
        due(c,
            "SELECT seq FROM event INDEXED BY event_due WHERE lane = ?1 AND due <= ?2 ORDER BY due, seq "
            "LIMIT "
            "?3"),
        later(c,
              "SELECT due FROM event INDEXED BY event_due WHERE lane = ?1 AND due > ?2 ORDER BY due LIMIT 1"),
        read(c,
             "SELECT id, typeof(id) = 'text', attempts, accepted, due, body, lane FROM event WHERE seq = ?1"),
        ack(c, "DELETE FROM event WHERE seq = ?1"),
        nak(c, "UPDATE event SET due = ?2, attempts = ?3 WHERE seq = ?1"),
        lane_name(c, "SELECT name FROM lane WHERE id = ?1"),
        lane_names(
            c,
            "SELECT name FROM lane WHERE EXISTS (SELECT 1 FROM event WHERE event.lane = lane.id) ORDER "
            "BY name") {}

  Statement put_lane, named, put, due, later, read, ack, nak, lane_name, lane_names;
};

// ---- Opening.

DurableQueue::DurableQueue(std::unique_ptr<Connection> connection, std::shared_ptr<Random> random)
    : random_(std::move(random)) {
  // A backlog's inner pages stay in memory, and a burst is copied out of the log in few large steps.
  connection->run("PRAGMA cache_size = -16000");
  connection->run("PRAGMA wal_autocheckpoint = 8000");
  connection->run("DELETE FROM lane WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.lane = lane.id)");
  {
    Statement all(*connection, "SELECT id, name FROM lane");
    while (all.step()) {
      auto lane = std::make_unique<Lane>();
      lane->id = all.number(0);
      lane->name = all.text(1);
      lane->is_stored = true;
      next_lane_ = std::max(next_lane_, lane->id + 1);
      lanes_.emplace(lane->name, std::move(lane));
    }
  }
  next_ = connection->number("SELECT max(seq) FROM event") + 1;
  latest_ = connection->number("SELECT accepted FROM event ORDER BY seq DESC LIMIT 1");
  depth_ = static_cast<std::uint64_t>(connection->number("SELECT count(*) FROM event"));
  if (depth_ == 0 && connection->number("PRAGMA freelist_count") > kFreePages) connection->run("VACUUM");
  committer_ = std::make_unique<Committer>(std::move(connection), kMostTogether);
}

DurableQueue::~DurableQueue() { committer_.reset(); }

DurableQueue::Lane* DurableQueue::lane_of(const std::string& name) {
  auto& lane = lanes_[name];
  if (lane == nullptr) {
    lane = std::make_unique<Lane>();
    lane->id = next_lane_++;
    lane->name = name;
  }
  return lane.get();
}

DurableQueue::Row DurableQueue::row_of(NewItem item) {
  const bool is_named = !item.id.empty();
  latest_ = std::max(latest_, item.now);  // a clock that was set back must not change the order
  const Token seq = next_++;
  return {lane_of(item.lane),
          seq,
          latest_,
          is_named ? std::move(item.id) : make_item_id(seq, *random_),
          is_named,
          std::move(item.body)};
}

DurableQueue::Statements& DurableQueue::statements(Connection& connection) {
  if (statements_ == nullptr) statements_ = std::make_unique<Statements>(connection);
  return *statements_;
}

void DurableQueue::hold(Lane& lane, Token token) {
  if (held_.emplace(token, &lane).second) ++lane.held;
}

void DurableQueue::let_go(Token token) {
  const auto it = held_.find(token);
  if (it == held_.end()) return;
  --it->second->held;
  held_.erase(it);
}

// ---- Putting in.

void DurableQueue::insert(Connection& connection, Row& row) {
  Statements& sql = statements(connection);
  if (!row.lane->is_stored) sql.put_lane.bind(1, row.lane->id).bind(2, row.lane->name).run();
  row.is_duplicate = false;
  if (row.is_named) {
    sql.named.bind(1, row.id);
    const bool is_there = sql.named.step();
    // Its own row is there when a commit went through whose end nobody knew.
    row.is_duplicate = is_there && sql.named.number(0) != row.seq;
    sql.named.reset();
    if (row.is_duplicate) return;
  }
  sql.put.bind(1, row.seq).bind(2, row.lane->id).bind(3, row.at);
  if (row.is_named) {
    sql.put.bind(4, row.id);
  } else {
    sql.put.bind_blob(4, row.id);
  }
  sql.put.bind_blob(5, row.body).run();
}

class DurableQueue::EnqueueJob final : public Committer::Job {
 public:
  EnqueueJob(DurableQueue& queue, Row row, EnqueueDone done)
      : queue_(queue), row_(std::move(row)), done_(std::move(done)) {}

  void change(Connection& connection) override { queue_.insert(connection, row_); }
  void settled(Commit commit) override {
    if (commit == Commit::kDone) {
      row_.lane->is_stored = true;
      if (!row_.is_duplicate) queue_.depth_.fetch_add(1, std::memory_order_relaxed);
    }
    const Stored end = commit == Commit::kRefused   ? Stored::kFailed
                       : commit == Commit::kUnknown ? Stored::kUnknown
                       : row_.is_duplicate          ? Stored::kDuplicate
                                                    : Stored::kStored;
    done_(end, row_.is_named ? row_.id : shown_item_id(row_.id));
  }

 private:
  DurableQueue& queue_;
  Row row_;
  const EnqueueDone done_;
};

void DurableQueue::enqueue(NewItem item, EnqueueDone done) {
  std::lock_guard lock(submitting_);
  committer_->submit(std::make_unique<EnqueueJob>(*this, row_of(std::move(item)), std::move(done)));
}

// ---- Taking out.

class DurableQueue::FetchJob final : public Committer::Job {
 public:
  FetchJob(DurableQueue& queue, Lane& lane, std::size_t most, std::size_t most_bytes, Millis now,
           FetchDone done)
      : queue_(queue), lane_(lane), most_(most), most_bytes_(most_bytes), now_(now), done_(std::move(done)) {}

  void change(Connection& connection) override {
    give_back();
    Statements& sql = queue_.statements(connection);
    // Those that are held are still there; the index alone tells which.
    std::vector<Token> tokens;
    sql.due.bind(1, lane_.id).bind(2, now_).bind(3, static_cast<std::int64_t>(lane_.held + most_ + 1));
    while (sql.due.step()) {
      const Token token = sql.due.number(0);
      if (queue_.held_.count(token) == 0) tokens.push_back(token);
    }
    sql.due.reset();
    std::size_t bytes = 0;
    for (const Token token : tokens) {
      if (fetched_.items.size() == most_ || bytes >= most_bytes_) {
        fetched_.has_more = true;
        break;
      }
      sql.read.bind(1, token);
      if (sql.read.step()) {
        Item item;
        item.token = token;
        item.id = sql.read.number(1) != 0 ? std::string(sql.read.text(0)) : shown_item_id(sql.read.text(0));
        item.attempts = static_cast<int>(sql.read.number(2));
        item.accepted = sql.read.number(3);
        item.due = sql.read.number(4);
        item.body = sql.read.text(5);
        bytes += item.body.size();
        queue_.hold(lane_, token);
        fetched_.items.push_back(std::move(item));
      }
      sql.read.reset();
    }
    if (fetched_.has_more) return;
    sql.later.bind(1, lane_.id).bind(2, now_);
    if (sql.later.step()) fetched_.next_due = sql.later.number(0);
    sql.later.reset();
  }

  void settled(Commit commit) override {
    if (commit != Commit::kDone) {
      give_back();
      fetched_.ok = false;
    }
    done_(std::move(fetched_));
  }

 private:
  void give_back() {
    for (const Item& item : fetched_.items) queue_.let_go(item.token);
    fetched_ = {};
  }

  DurableQueue& queue_;
  Lane& lane_;
  const std::size_t most_, most_bytes_;
  const Millis now_;
  const FetchDone done_;
  Fetched fetched_;
};

void DurableQueue::fetch(const std::string& lane, std::size_t most, std::size_t most_bytes, Millis now,
                         FetchDone done) {
  std::lock_guard lock(submitting_);
  committer_->submit(
      std::make_unique<FetchJob>(*this, *lane_of(lane), most, most_bytes, now, std::move(done)));
}

// ---- Settling.

class DurableQueue::SettleJob final : public Committer::Job {
 public:
  SettleJob(DurableQueue& queue, std::vector<Settlement> settlements, std::vector<Row> follow_ups,
            SettleDone done)
      : queue_(queue),
        settlements_(std::move(settlements)),
        follow_ups_(std::move(follow_ups)),
        done_(std::move(done)) {}

  void change(Connection& connection) override {
    Statements& sql = queue_.statements(connection);
    gone_ = 0;
    for (Row& row : follow_ups_) queue_.insert(connection, row);
    for (const Settlement& settlement : settlements_) {
      if (settlement.kind == Settlement::Kind::kAck) {
        sql.ack.bind(1, settlement.token).run();
        gone_ += static_cast<std::uint64_t>(connection.changes());
      } else {
        sql.nak.bind(1, settlement.token).bind(2, settlement.due).bind(3, settlement.attempts).run();
      }
    }
  }

  void settled(Commit commit) override {
    if (commit == Commit::kDone) {
      for (const Settlement& settlement : settlements_) queue_.let_go(settlement.token);
      std::uint64_t come = 0;
      for (const Row& row : follow_ups_) {
        row.lane->is_stored = true;
        if (!row.is_duplicate) ++come;
      }
      queue_.depth_.fetch_add(come - gone_, std::memory_order_relaxed);
    }
    done_(commit == Commit::kDone);
  }

 private:
  DurableQueue& queue_;
  const std::vector<Settlement> settlements_;
  std::vector<Row> follow_ups_;
  const SettleDone done_;
  std::uint64_t gone_ = 0;
};

void DurableQueue::settle(std::vector<Settlement> settlements, SettleDone done) {
  std::lock_guard lock(submitting_);
  std::vector<Row> follow_ups;
  for (Settlement& settlement : settlements) {
    for (NewItem& item : settlement.follow_ups) follow_ups.push_back(row_of(std::move(item)));
    settlement.follow_ups.clear();
  }
  committer_->submit(
      std::make_unique<SettleJob>(*this, std::move(settlements), std::move(follow_ups), std::move(done)));
}

// ---- Asking.

void DurableQueue::find(const std::string& id, FindDone done) {
  struct Answer {
    std::optional<Found> found;
  };
  auto answer = std::make_shared<Answer>();
  committer_->submit(
      [this, id, answer](Connection& connection) {
        Statements& sql = statements(connection);
        answer->found.reset();
        Token token = 0;
        sql.named.bind(1, id);
        if (sql.named.step()) token = sql.named.number(0);
        sql.named.reset();
        const bool is_named = token != 0;
        const auto parsed = parse_item_id(id);
        if (!is_named && parsed) token = parsed->number;
        std::int64_t lane = 0;
        sql.read.bind(1, token);
        if (sql.read.step() && sql.read.text(0) == (is_named ? std::string_view(id) : parsed->bytes)) {
          answer->found =
              Found{{}, id, static_cast<int>(sql.read.number(2)), sql.read.number(3), sql.read.number(4)};
          lane = sql.read.number(6);
        }
        sql.read.reset();
        if (!answer->found) return;
        sql.lane_name.bind(1, lane);
        if (sql.lane_name.step()) answer->found->lane = sql.lane_name.text(0);
        sql.lane_name.reset();
      },
      [answer, done = std::move(done)](Commit commit) {
        done(commit == Commit::kDone, std::move(answer->found));
      });
}

void DurableQueue::lanes(const std::string& prefix, LanesDone done) {
  auto names = std::make_shared<std::vector<std::string>>();
  committer_->submit(
      [this, prefix, names](Connection& connection) {
        names->clear();
        Statement& all = statements(connection).lane_names;
        while (all.step()) {
          if (all.text(0).starts_with(prefix)) names->emplace_back(all.text(0));
        }
        all.reset();
      },
      [names, done = std::move(done)](Commit commit) { done(commit == Commit::kDone, std::move(*names)); });
}

}  // namespace lambed::events
