#include "events/dead_letter_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "events/messages.h"

namespace lambed::events {

namespace {

std::int64_t milliseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Error none(const std::string& id) {
  return {ErrorCode::ResourceNotFoundException, "There is no dead letter " + id};
}

}  // namespace

const char* name_of(DeadLetterKind kind) {
  switch (kind) {
    case DeadLetterKind::kDeadLetter:
      return "DeadLetter";
    case DeadLetterKind::kOnSuccess:
      return "OnSuccess";
    case DeadLetterKind::kOnFailure:
      return "OnFailure";
  }
  return "";
}

DeadLetter dead_letter_of(Delivery&& delivery, std::chrono::system_clock::time_point now) {
  DeadLetter letter;
  letter.kind = delivery.kind == DeliveryKind::kDeadLetter  ? DeadLetterKind::kDeadLetter
                : delivery.kind == DeliveryKind::kOnSuccess ? DeadLetterKind::kOnSuccess
                                                            : DeadLetterKind::kOnFailure;
  letter.function_name = function_name_of(delivery.function_arn);
  letter.function_arn = std::move(delivery.function_arn);
  letter.request_id = std::move(delivery.request_id);
  letter.condition = name_of(delivery.condition);
  letter.approximate_invoke_count = delivery.approximate_invoke_count;
  letter.has_response = delivery.has_response;
  letter.status_code = delivery.has_response ? delivery.status_code : 0;
  letter.function_error = std::move(delivery.function_error);
  letter.executed_version = std::move(delivery.executed_version);
  if (letter.kind == DeadLetterKind::kDeadLetter) {
    letter.error_code = delivery.error_code;
    letter.error_message = std::move(delivery.error_message);
  }
  letter.accepted_ms = milliseconds(delivery.accepted);
  letter.ended_ms = milliseconds(delivery.ended);
  letter.stored_ms = milliseconds(now);
  letter.request_payload =
      delivery.request_payload.empty() ? std::string("{}") : std::move(delivery.request_payload);
  letter.request_size = letter.request_payload.size();
  letter.response_payload = std::move(delivery.response_payload);
  letter.response_is_binary = delivery.response_is_binary;
  return letter;
}

std::string dead_letter_id(std::uint64_t number) { return fmt::format("{:020}", number); }

std::optional<std::uint64_t> dead_letter_number(std::string_view id) {
  std::uint64_t number = 0;
  if (id.empty() || id.size() > 20) return std::nullopt;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size() || number > INT64_MAX) return std::nullopt;
  return number;
}

void MemoryDeadLetters::add(const std::string& delivery_id, DeadLetter letter,
                            std::function<void(DeliveryResult)> done) {
  DeliveryResult result;
  {
    std::lock_guard lock(mutex_);
    const std::size_t size = bytes_of(letter);
    if (numbers_.find(delivery_id) != numbers_.end()) {
      // Told before, and its answer was lost.
    } else if (letters_.size() >= most_letters_ || bytes_ + size > most_bytes_) {
      result = {DeliveryResult::Kind::kRetryLater,
                fmt::format("the table of dead letters is full ({} letters, {} bytes): redrive or purge it",
                            letters_.size(), bytes_)};
    } else {
      letter.id = dead_letter_id(next_);
      numbers_.emplace(delivery_id, next_);
      letters_.emplace(next_++, Kept{delivery_id, std::move(letter)});
      bytes_ += size;
    }
  }
  done(std::move(result));
}

Result<std::vector<DeadLetter>> MemoryDeadLetters::list(const DeadLetterQuery& query) {
  std::vector<DeadLetter> found;
  std::lock_guard lock(mutex_);
  for (auto it = letters_.upper_bound(dead_letter_number(query.after).value_or(0));
       it != letters_.end() && found.size() < query.limit; ++it) {
    const DeadLetter& letter = it->second.letter;
    if (!query.function.empty() && letter.function_name != query.function) continue;
    DeadLetter shown = letter;
    shown.request_payload.clear();
    shown.response_payload.clear();
    found.push_back(std::move(shown));
  }
  return found;
}

Result<DeadLetter> MemoryDeadLetters::get(const std::string& id) {
  const auto number = dead_letter_number(id);
  std::lock_guard lock(mutex_);
  const auto found = number ? letters_.find(*number) : letters_.end();
  if (found == letters_.end()) return none(id);
  return found->second.letter;
}

Result<std::size_t> MemoryDeadLetters::remove(const DeadLetterSelection& selection) {
  std::lock_guard lock(mutex_);
  const auto erase = [&](auto it) {
    bytes_ -= bytes_of(it->second.letter);
    numbers_.erase(it->second.delivery_id);
    return letters_.erase(it);
  };
  const std::size_t before = letters_.size();
  if (!selection.ids.empty()) {
    for (const std::string& id : selection.ids) {
      const auto number = dead_letter_number(id);
      if (const auto it = number ? letters_.find(*number) : letters_.end(); it != letters_.end()) erase(it);
    }
  } else {
    for (auto it = letters_.begin(); it != letters_.end();) {
      const bool is_chosen =
          selection.function.empty() || it->second.letter.function_name == selection.function;
      it = is_chosen ? erase(it) : std::next(it);
    }
  }
  return before - letters_.size();
}

std::size_t MemoryDeadLetters::size() const {
  std::lock_guard lock(mutex_);
  return letters_.size();
}

}  // namespace lambed::events
