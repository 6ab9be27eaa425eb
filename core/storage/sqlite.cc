#include "storage/sqlite.h"

#include <sqlite3.h>

#include <utility>

namespace lambed::storage {

bool Failure::is_refusal() const {
  return code_ == SQLITE_FULL || code_ == SQLITE_READONLY || code_ == SQLITE_PERM ||
         code_ == SQLITE_CANTOPEN || code_ == SQLITE_TOOBIG || code_ == SQLITE_NOMEM;
}

// ---- Statement

Statement::Statement(Connection& connection, const char* sql) : connection_(&connection) {
  const int code =
      ::sqlite3_prepare_v3(connection.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (code != SQLITE_OK) connection.fail(code);
}

Statement::~Statement() { ::sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}

void Statement::fail() const { connection_->fail(::sqlite3_errcode(connection_->get())); }

Statement& Statement::bind(int at, std::string_view text) {
  if (::sqlite3_bind_text64(statement_, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK)
    fail();
  return *this;
}

Statement& Statement::bind(int at, std::int64_t number) {
  if (::sqlite3_bind_int64(statement_, at, number) != SQLITE_OK) fail();
  return *this;
}

Statement& Statement::bind_blob(int at, std::string_view bytes) {
  // Of a null pointer SQLite would make NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  if (::sqlite3_bind_blob64(statement_, at, data, bytes.size(), SQLITE_STATIC) != SQLITE_OK) fail();
  return *this;
}

bool Statement::step() {
  const int code = ::sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  ::sqlite3_reset(statement_);
  connection_->fail(code);
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  ::sqlite3_reset(statement_);
  ::sqlite3_clear_bindings(statement_);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(::sqlite3_column_blob(statement_, column));
  return {bytes, static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column))};
}

std::int64_t Statement::number(int column) const { return ::sqlite3_column_int64(statement_, column); }

// ---- Connection

Connection::Connection(const std::string& path, const char* vfs) : path_(path) {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = ::sqlite3_open_v2(path.c_str(), &connection_, kFlags, vfs);
  if (code != SQLITE_OK) {
    const std::string words =
        path_ + ": " + (connection_ != nullptr ? ::sqlite3_errmsg(connection_) : ::sqlite3_errstr(code));
    ::sqlite3_close_v2(connection_);
    throw Failure(code & 0xff, words);
  }
  ::sqlite3_extended_result_codes(connection_, 1);
}

Connection::~Connection() { ::sqlite3_close_v2(connection_); }

void Connection::fail(int code) const {
  const std::string words = ::sqlite3_errmsg(connection_);
  throw Failure(code & 0xff, path_ + ": " + words);
}

void Connection::run(const char* sql) {
  if (const int code = ::sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK)
    fail(code);
}

std::int64_t Connection::number(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.number(0) : 0;
}

std::string Connection::text(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

int Connection::changes() const { return ::sqlite3_changes(connection_); }

}  // namespace lambed::storage
