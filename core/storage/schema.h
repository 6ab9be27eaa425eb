// The layout of the database, version by version. Functions; one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "storage/sqlite.h"

namespace lambed::storage {

// Versions of the layout; each is made from the one before by a migration that is never changed once it was released.
//   1  entity: what the catalogue keeps, by key
//   2  content, piece: code packages by the SHA-256 of what they hold, in pieces
//   3  lane, event: asynchronous invocations and deliveries that wait, by lane and the time at which they are due. `seq` is the
//      order in which they came; `id` is a blob where the queue made it, from `seq`, and a text where the caller did
//   4  dead_letter: what was sent to lambed:local, in the order in which it came; `scope` is account/region, `delivery` tells
//      duplicates apart, `about` is JSON with what has no column
inline constexpr int kSchemaVersion = 4;

// A connection that is ready: WAL, synchronous=FULL (a commit is on the disk when it returns), this process's alone, the layout
// at kSchemaVersion. Throws Failure; also for a database of a newer version or of another program.
std::unique_ptr<Connection> open_database(const std::string& path, const char* vfs = nullptr);

// For tests: stops at an older layout.
std::unique_ptr<Connection> open_database_of(int version, const std::string& path, const char* vfs = nullptr);

}  // namespace lambed::storage
