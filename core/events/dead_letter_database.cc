// Dead letters on disk.
#include <atomic>
#include <future>
#include <nlohmann/json.hpp>

#include "events/dead_letter_table.h"
#include "storage/committer.h"
#include "storage/sqlite.h"

namespace lambed::events {

using nlohmann::json;
using storage::Commit;
using storage::Connection;
using storage::Statement;

namespace {

// All but the payloads and what has a column.
std::string about(const DeadLetter& letter) {
  return json{{"kind", static_cast<int>(letter.kind)},
              {"arn", letter.function_arn},
              {"request", letter.request_id},
              {"condition", letter.condition},
              {"count", letter.approximate_invoke_count},
              {"answered", letter.has_response},
              {"status", letter.status_code},
              {"error", letter.function_error},
              {"version", letter.executed_version},
              {"code", letter.error_code},
              {"message", letter.error_message},
              {"accepted", letter.accepted_ms},
              {"ended", letter.ended_ms},
              {"stored", letter.stored_ms},
              {"binary", letter.response_is_binary}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

// Columns number, function, about, length(request).
DeadLetter letter_from(Statement& row) {
  DeadLetter letter;
  letter.id = dead_letter_id(static_cast<std::uint64_t>(row.number(0)));
  letter.function_name = row.text(1);
  const json object = json::parse(row.text(2));
  letter.kind = static_cast<DeadLetterKind>(object.at("kind").get<int>());
  object.at("arn").get_to(letter.function_arn);
  object.at("request").get_to(letter.request_id);
  object.at("condition").get_to(letter.condition);
  object.at("count").get_to(letter.approximate_invoke_count);
  object.at("answered").get_to(letter.has_response);
  object.at("status").get_to(letter.status_code);
  object.at("error").get_to(letter.function_error);
  object.at("version").get_to(letter.executed_version);
  object.at("code").get_to(letter.error_code);
  object.at("message").get_to(letter.error_message);
  object.at("accepted").get_to(letter.accepted_ms);
  object.at("ended").get_to(letter.ended_ms);
  object.at("stored").get_to(letter.stored_ms);
  object.at("binary").get_to(letter.response_is_binary);
  letter.request_size = static_cast<std::size_t>(row.number(3));
  return letter;
}

Error unreadable(const std::string& words) {
  return {ErrorCode::ServiceException, "The table of dead letters cannot be used: " + words};
}

// Does `work` on the committer's thread and waits.
template <class T>
Result<T> ask(storage::Committer& committer, std::function<T(Connection&)> work) {
  // The one writer is also the one reader: the connection is its own. A transaction that changes nothing costs no fsync.
  struct Answer {
    T value{};
    std::string problem;
    std::promise<Commit> end;
  };
  const auto answer = std::make_shared<Answer>();
  auto end = answer->end.get_future();
  committer.submit(
      [answer, work](Connection& connection) {
        try {
          answer->problem.clear();
          answer->value = work(connection);
        } catch (const json::exception& error) {
          answer->problem = error.what();
        }
      },
      [answer](Commit commit) { answer->end.set_value(commit); });
  if (end.get() != Commit::kDone) return unreadable(committer.trouble());
  if (!answer->problem.empty()) return unreadable(answer->problem);
  return std::move(answer->value);
}

}  // namespace

class DeadLetterDatabase::Table final : public DeadLetterTable {
 public:
  Table(std::shared_ptr<DeadLetterDatabase> database, std::string scope)
      : database_(std::move(database)), scope_(std::move(scope)) {
    const auto present = ask<std::int64_t>(committer(), [scope = scope_](Connection& connection) {
      Statement count(connection, "SELECT count(*) FROM dead_letter WHERE scope = ?1");
      count.bind(1, scope);
      return count.step() ? count.number(0) : 0;
    });
    if (present.ok()) size_->store(*present);
  }

  void add(const std::string& delivery_id, DeadLetter letter,
           std::function<void(DeliveryResult)> done) override {
    struct Addition {
      std::string scope, delivery_id, about;
      DeadLetter letter;
      std::function<void(DeliveryResult)> done;
      bool is_new = false;
    };
    const auto addition = std::make_shared<Addition>();
    *addition = {scope_, delivery_id, about(letter), std::move(letter), std::move(done)};
    committer().submit(
        [addition](Connection& connection) {
          Statement insert(
              connection,
              "INSERT OR IGNORE INTO dead_letter (scope, delivery, function, about, request, response) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
          insert.bind(1, addition->scope)
              .bind(2, addition->delivery_id)
              .bind(3, addition->letter.function_name)
              .bind(4, addition->about)
              .bind_blob(5, addition->letter.request_payload)
              .bind_blob(6, addition->letter.response_payload);
          insert.run();
          addition->is_new = connection.changes() > 0;
        },
        [addition, size = size_, database = database_.get()](Commit commit) {
          if (commit == Commit::kDone) {
            if (addition->is_new) size->fetch_add(1);
            return addition->done({});
          }
          addition->done({DeliveryResult::Kind::kRetryLater,
                          "the table of dead letters cannot be written: " + database->trouble()});
        });
  }

  Result<std::vector<DeadLetter>> list(const DeadLetterQuery& query) override {
    return ask<std::vector<DeadLetter>>(committer(), [scope = scope_, query](Connection& connection) {
      Statement rows(connection,
                     query.function.empty()
                         ? "SELECT number, function, about, length(request) FROM dead_letter "
                           "WHERE scope = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
                         : "SELECT number, function, about, length(request) FROM dead_letter "
                           "WHERE scope = ?1 AND number > ?2 AND function = ?4 ORDER BY number LIMIT ?3");
      rows.bind(1, scope)
          .bind(2, static_cast<std::int64_t>(dead_letter_number(query.after).value_or(0)))
          .bind(3, static_cast<std::int64_t>(query.limit));
      if (!query.function.empty()) rows.bind(4, query.function);
      std::vector<DeadLetter> found;
      while (rows.step()) found.push_back(letter_from(rows));
      return found;
    });
  }

  Result<DeadLetter> get(const std::string& id) override {
    const Error none(ErrorCode::ResourceNotFoundException, "There is no dead letter " + id);
    const auto number = dead_letter_number(id);
    if (!number) return none;
    auto found = ask<std::optional<DeadLetter>>(
        committer(), [scope = scope_, number](Connection& connection) -> std::optional<DeadLetter> {
          Statement row(connection,
                        "SELECT number, function, about, length(request), request, response FROM dead_letter "
                        "WHERE scope = ?1 AND number = ?2");
          row.bind(1, scope).bind(2, static_cast<std::int64_t>(*number));
          if (!row.step()) return std::nullopt;
          DeadLetter letter = letter_from(row);
          letter.request_payload = row.text(4);
          letter.response_payload = row.text(5);
          return letter;
        });
    if (!found.ok()) return found.error();
    if (!*found) return none;
    return std::move(**found);
  }

  Result<std::size_t> remove(const DeadLetterSelection& selection) override {
    auto removed = ask<std::size_t>(committer(), [scope = scope_, selection](Connection& connection) {
      std::size_t count = 0;
      if (selection.ids.empty()) {
        Statement statement(connection, selection.function.empty()
                                            ? "DELETE FROM dead_letter WHERE scope = ?1"
                                            : "DELETE FROM dead_letter WHERE scope = ?1 AND function = ?2");
        statement.bind(1, scope);
        if (!selection.function.empty()) statement.bind(2, selection.function);
        statement.run();
        return static_cast<std::size_t>(connection.changes());
      }
      Statement statement(connection, "DELETE FROM dead_letter WHERE scope = ?1 AND number = ?2");
      for (const std::string& id : selection.ids) {
        const auto number = dead_letter_number(id);
        if (!number) continue;
        statement.bind(1, scope).bind(2, static_cast<std::int64_t>(*number));
        statement.run();
        count += static_cast<std::size_t>(connection.changes());
      }
      return count;
    });
    if (removed.ok()) size_->fetch_sub(static_cast<std::int64_t>(*removed));
    return removed;
  }

  std::size_t size() const override {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, size_->load()));
  }

 private:
  storage::Committer& committer() const { return *database_->committer_; }

  const std::shared_ptr<DeadLetterDatabase> database_;
  const std::string scope_;
  // Shared with answers that are on their way.
  const std::shared_ptr<std::atomic<std::int64_t>> size_ = std::make_shared<std::atomic<std::int64_t>>(0);
};

DeadLetterDatabase::DeadLetterDatabase(std::unique_ptr<Connection> connection)
    : committer_(std::make_unique<storage::Committer>(std::move(connection))) {}

// What was submitted is committed and answered before the database goes.
DeadLetterDatabase::~DeadLetterDatabase() { committer_.reset(); }

std::shared_ptr<DeadLetterTable> DeadLetterDatabase::table(std::shared_ptr<DeadLetterDatabase> database,
                                                           std::string scope) {
  return std::make_shared<Table>(std::move(database), std::move(scope));
}

std::string DeadLetterDatabase::trouble() const { return committer_->trouble(); }

}  // namespace lambed::events
