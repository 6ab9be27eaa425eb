#include "catalog/durable_blobs.h"

#include <tuple>
#include <vector>

#include "base/digest.h"
#include "catalog/awaited.h"

namespace lambed::catalog {

using storage::Commit;
using storage::Connection;
using storage::Statement;

namespace {

constexpr std::size_t kPiece = 256 * 1024;

StoreStatus status_of(Commit commit) {
  switch (commit) {
    case Commit::kDone:
      return StoreStatus::kOk;
    case Commit::kRefused:
      return StoreStatus::kFailed;
    default:
      return StoreStatus::kUnknown;
  }
}

bool is_there(Connection& connection, const std::string& sha256) {
  Statement one(connection, "SELECT 1 FROM content WHERE sha256 = ?1");
  one.bind(1, sha256);
  return one.step();
}

void erase(Connection& connection, const std::string& sha256) {
  for (const char* sql : {"DELETE FROM piece WHERE sha256 = ?1", "DELETE FROM content WHERE sha256 = ?1"}) {
    Statement(connection, sql).bind(1, sha256).run();
  }
}

}  // namespace

DurableBlobs::DurableBlobs(std::unique_ptr<Connection> connection)
    : committer_(std::make_unique<storage::Committer>(std::move(connection))) {}

std::string DurableBlobs::trouble() const { return committer_->trouble(); }

void DurableBlobs::put(const std::string& sha256, Source source, Done done) {
  // Read here, on the caller's thread: the committer is everybody's.
  auto bytes = std::make_shared<std::string>();
  Sha256 digest;
  for (std::string_view piece = source(); !piece.empty(); piece = source()) {
    digest.update(piece);
    bytes->append(piece);
  }
  if (to_hex(digest.finish()) != sha256) return done(StoreStatus::kConflict);
  committer_->submit(
      [bytes, sha256](Connection& connection) {
        if (is_there(connection, sha256)) return;
        Statement insert(connection, "INSERT INTO piece (sha256, number, bytes) VALUES (?1, ?2, ?3)");
        std::int64_t number = 0;
        for (std::size_t at = 0; at < bytes->size(); at += kPiece, ++number) {
          insert.bind(1, sha256)
              .bind(2, number)
              .bind_blob(3, std::string_view(*bytes).substr(at, kPiece))
              .run();
        }
        Statement(connection, "INSERT INTO content (sha256, size) VALUES (?1, ?2)")
            .bind(1, sha256)
            .bind(2, static_cast<std::int64_t>(bytes->size()))
            .run();
      },
      [done = std::move(done)](Commit commit) { done(status_of(commit)); });
}

void DurableBlobs::get(const std::string& sha256, Sink sink, Done done) {
  // The connection is the committer's: it reads, too. Whole packages are read when an environment is opened for the first time.
  auto found = std::make_shared<bool>(false);
  auto pieces = std::make_shared<std::vector<std::string>>();
  committer_->submit(
      [found, pieces, sha256](Connection& connection) {
        pieces->clear();
        *found = is_there(connection, sha256);
        Statement all(connection, "SELECT bytes FROM piece WHERE sha256 = ?1 ORDER BY number");
        all.bind(1, sha256);
        while (all.step()) pieces->emplace_back(all.text(0));
      },
      [found, pieces, sink = std::move(sink), done = std::move(done)](Commit commit) {
        if (commit != Commit::kDone) return done(status_of(commit));
        if (!*found) return done(StoreStatus::kConflict);
        for (const std::string& piece : *pieces) {
          if (!sink(piece)) break;
        }
        done(StoreStatus::kOk);
      });
}

void DurableBlobs::exists(const std::string& sha256, ExistsDone done) {
  auto found = std::make_shared<bool>(false);
  committer_->submit([found, sha256](Connection& connection) { *found = is_there(connection, sha256); },
                     [found, done = std::move(done)](Commit commit) { done(status_of(commit), *found); });
}

void DurableBlobs::remove(const std::string& sha256, Done done) {
  auto found = std::make_shared<bool>(false);
  committer_->submit(
      [found, sha256](Connection& connection) {
        *found = is_there(connection, sha256);
        if (*found) erase(connection, sha256);
      },
      [found, done = std::move(done)](Commit commit) {
        done(commit == Commit::kDone && !*found ? StoreStatus::kConflict : status_of(commit));
      });
}

void DurableBlobs::keep_only(const std::set<std::string>& used) {
  Awaited<std::tuple<Commit>>::wait_for([&](auto done) {
    committer_->submit(
        [&used](Connection& connection) {
          std::vector<std::string> unused;
          Statement all(connection, "SELECT sha256 FROM content");
          while (all.step()) {
            if (std::string name(all.text(0)); used.count(name) == 0) unused.push_back(std::move(name));
          }
          all.reset();
          for (const std::string& name : unused) erase(connection, name);
        },
        std::move(done));
  });
}

}  // namespace lambed::catalog
