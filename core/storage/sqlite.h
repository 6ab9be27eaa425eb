// SQLite behind RAII: a connection, a statement, errors in words. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lambed::storage {

// What SQLite could not do. `code()` is its primary result code (SQLITE_FULL, SQLITE_IOERR, ...).
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& words) : std::runtime_error(words), code_(code) {}
  int code() const { return code_; }
  // The change was not made, and will not be when tried again at once: a full disk, a read-only one, no permission.
  bool is_refusal() const;

 private:
  int code_;
};

class Connection;

// A prepared statement. Bound texts and blobs must live until the next reset.
class Statement {
 public:
  Statement(Connection& connection, const char* sql);  // throws Failure
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, std::string_view text);
  Statement& bind(int at, std::int64_t number);
  Statement& bind_blob(int at, std::string_view bytes);
  bool step();  // true: there is a row. Throws Failure
  void run();   // to the end, then reset
  void reset();

  std::string_view text(int column) const;  // until the next step
  std::int64_t number(int column) const;

 private:
  [[noreturn]] void fail() const;
  Connection* connection_;
  sqlite3_stmt* statement_ = nullptr;
};

class Connection {
 public:
  // Opens or creates; `vfs` null: the system's. Throws Failure with the path in its words.
  explicit Connection(const std::string& path, const char* vfs = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run(const char* sql);  // one or more statements without values
  std::int64_t number(const char* sql);
  std::string text(const char* sql);
  int changes() const;
  sqlite3* get() const { return connection_; }
  [[noreturn]] void fail(int code) const;

 private:
  const std::string path_;
  sqlite3* connection_ = nullptr;
};

}  // namespace lambed::storage
