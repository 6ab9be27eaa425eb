// The table of dead letters, for operators: what `lambed dlq` talks to.
//
//   GET  /_lambed/dead-letters?function=F&after=ID&limit=N   {"DeadLetters": [..], "Next": "ID" when there are more}
//   GET  /_lambed/dead-letters/ID                             one, with its payloads
//   POST /_lambed/dead-letters/redrive                        {"Ids": [..]} or {"Function": F} or {"All": true}
//   POST /_lambed/dead-letters/purge                          the same
#include <fmt/format.h>

#include <algorithm>

#include "api/operations.h"
#include "base/digest.h"
#include "base/json.h"
#include "events/messages.h"

namespace lambed::api {
namespace {

using nlohmann::json;

constexpr std::size_t kPage = 100;
constexpr std::size_t kMostPage = 1000;

std::string time_of(std::int64_t milliseconds) {
  return events::timestamp_of(std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds)));
}

json describe(const DeadLetter& letter) {
  json out = {{"Id", letter.id},
              {"Kind", events::name_of(letter.kind)},
              {"FunctionName", letter.function_name},
              {"FunctionArn", letter.function_arn},
              {"RequestId", letter.request_id},
              {"Condition", letter.condition},
              {"ApproximateInvokeCount", letter.approximate_invoke_count},
              {"Accepted", time_of(letter.accepted_ms)},
              {"Ended", time_of(letter.ended_ms)},
              {"Stored", time_of(letter.stored_ms)},
              {"RequestSize", letter.request_size}};
  if (letter.has_response) {
    out["StatusCode"] = letter.status_code;
    out["ExecutedVersion"] = letter.executed_version;
    if (!letter.function_error.empty()) out["FunctionError"] = letter.function_error;
  }
  if (letter.kind == DeadLetterKind::kDeadLetter) {
    out["ErrorCode"] = letter.error_code;
    out["ErrorMessage"] = letter.error_message;
  }
  return out;
}

// As the value that it is, where it is JSON.
json payload_of(const std::string& payload, bool is_binary) {
  if (is_binary) return base64_encode(payload);
  json value = json::parse(payload, nullptr, false);
  return value.is_discarded() ? json(payload) : value;
}

Reply list(Scope& scope, const Call& call) {
  DeadLetterQuery query;
  query.function = call.parameter("function");
  query.after = call.parameter("after");
  query.limit = kPage;
  if (const std::string limit = call.parameter("limit"); !limit.empty()) {
    const bool is_number = limit.size() < 6 && limit.find_first_not_of("0123456789") == std::string::npos;
    const std::size_t number = is_number ? std::stoul(limit) : 0;
    if (number < 1 || number > kMostPage)
      throw Fault(400, "ValidationException", fmt::format("limit: a number from 1 to {}.", kMostPage));
    query.limit = number;
  }
  const std::size_t wanted = query.limit++;  // one more tells whether there is a next page
  auto letters = scope.core->dead_letters().list(query).value();
  json body = {{"DeadLetters", json::array()}};
  if (letters.size() > wanted) {
    letters.pop_back();
    body["Next"] = letters.back().id;
  }
  for (const DeadLetter& letter : letters) body["DeadLetters"].push_back(describe(letter));
  return {200, std::move(body)};
}

Reply show(Scope& scope, const std::string& id) {
  const DeadLetter letter = scope.core->dead_letters().get(id).value();
  json body = describe(letter);
  body["RequestPayload"] = payload_of(letter.request_payload, false);
  if (letter.has_response) {
    body["ResponsePayload"] = payload_of(letter.response_payload, letter.response_is_binary);
    if (letter.response_is_binary) body["ResponseIsBase64Encoded"] = true;
  }
  return {200, std::move(body)};
}

// All of them only where that was said: an empty body must not empty the table.
DeadLetterSelection selection_of(const Call& call) {
  const Members body = call.body();
  DeadLetterSelection selection;
  selection.ids = body.text_list("Ids").value_or(std::vector<std::string>{});
  selection.function = body.text("Function").value_or("");
  const int ways = (selection.ids.empty() ? 0 : 1) + (selection.function.empty() ? 0 : 1) +
                   (body.boolean("All").value_or(false) ? 1 : 0);
  if (ways != 1) {
    throw Fault(400, "ValidationException", "Say which dead letters: one of Ids, Function and All.");
  }
  return selection;
}

Reply redrive(Scope& scope, const Call& call) {
  const Redrive done = scope.core->redrive(selection_of(call)).value();
  json body = {{"Redriven", done.redriven}, {"Failed", done.failed}, {"Failures", json::array()}};
  for (const Redrive::Failure& failure : done.failures)
    body["Failures"].push_back({{"Id", failure.id}, {"Problem", failure.problem}});
  return {200, std::move(body)};
}

Reply purge(Scope& scope, const Call& call) {
  return {200, {{"Purged", scope.core->dead_letters().remove(selection_of(call)).value()}}};
}

}  // namespace

Reply dead_letters(Scope& scope, const Call& call, std::string_view path) {
  const std::string_view method = call.request.method;
  if (path.starts_with("/")) path.remove_prefix(1);
  if (method == "GET" || method == "HEAD") {
    if (path.empty()) return list(scope, call);
    return show(scope, http::percent_decoded(path).value_or(""));
  }
  if (method == "POST" && path == "redrive") return redrive(scope, call);
  if (method == "POST" && path == "purge") return purge(scope, call);
  throw Fault(
      405, "MethodNotAllowedException",
      "Dead letters are listed and read with GET, and redriven and purged with POST to redrive and purge.");
}

}  // namespace lambed::api
