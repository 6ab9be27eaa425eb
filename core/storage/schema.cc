#include "storage/schema.h"

#include <sqlite3.h>

namespace lambed::storage {
namespace {

constexpr std::int64_t kApplicationId = 0x6c616d62;  // "lamb"

constexpr const char* kMigrations[] = {
    // 1
    "CREATE TABLE entity (key TEXT PRIMARY KEY, bytes BLOB NOT NULL, rev INTEGER NOT NULL) WITHOUT ROWID;",
    // 2
    "CREATE TABLE content (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE piece (sha256 TEXT NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,"
    "  PRIMARY KEY (sha256, number));",
    // 3
    "CREATE TABLE lane (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, due INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL, accepted INTEGER NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX event_due ON event (lane, due);"
    "CREATE UNIQUE INDEX event_named ON event (id) WHERE typeof(id) = 'text';",
    // 4
    "CREATE TABLE dead_letter (number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL,"
    "  delivery TEXT NOT NULL, function TEXT NOT NULL, about TEXT NOT NULL, request BLOB NOT NULL,"
    "  response BLOB NOT NULL, UNIQUE (scope, delivery));"
    "CREATE INDEX dead_letter_function ON dead_letter (scope, function, number);",
};
static_assert(std::size(kMigrations) == kSchemaVersion);

}  // namespace

std::unique_ptr<Connection> open_database_of(int version, const std::string& path, const char* vfs) {
  auto connection = std::make_unique<Connection>(path, vfs);
  // Exclusive before WAL: then the index of the log lies in this process's memory and no other process can open the database.
  connection->run("PRAGMA locking_mode = EXCLUSIVE");
  if (connection->text("PRAGMA journal_mode = WAL") != "wal") {
    throw Failure(SQLITE_ERROR, path + ": the file system does not allow a write-ahead log");
  }
  connection->run("PRAGMA synchronous = FULL");
  connection->run("PRAGMA wal_autocheckpoint = 1000");
  const std::int64_t id = connection->number("PRAGMA application_id");
  const std::int64_t present = connection->number("PRAGMA user_version");
  if (id != kApplicationId && (id != 0 || connection->number("SELECT count(*) FROM sqlite_master") != 0)) {
    throw Failure(SQLITE_NOTADB, path + ": this is a database of another program");
  }
  if (present > kSchemaVersion) {
    throw Failure(SQLITE_ERROR, path + ": written by a newer lambed (layout " + std::to_string(present) +
                                    ", this one knows " + std::to_string(kSchemaVersion) + ")");
  }
  for (std::int64_t next = present; next < version; ++next) {
    // Each step is whole or not there, its number with it.
    connection->run("BEGIN IMMEDIATE");
    try {
      connection->run(kMigrations[next]);
      connection->run(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
      connection->run(("PRAGMA user_version = " + std::to_string(next + 1)).c_str());
      connection->run("COMMIT");
    } catch (const Failure&) {
      if (::sqlite3_get_autocommit(connection->get()) == 0) {
        ::sqlite3_exec(connection->get(), "ROLLBACK", nullptr, nullptr, nullptr);
      }
      throw;
    }
  }
  return connection;
}

std::unique_ptr<Connection> open_database(const std::string& path, const char* vfs) {
  return open_database_of(kSchemaVersion, path, vfs);
}

}  // namespace lambed::storage
