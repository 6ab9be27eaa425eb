#include "model/violations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/json.h"

namespace lambed::model {

namespace {

// Messages become JSON and C strings: what neither can carry is shown as U+FFFD.
std::string shown(std::string_view value) {
  if (is_utf8(value) && value.find('\0') == std::string_view::npos) return std::string(value);
  std::string text;
  for (const char c : value) {
    if (const auto byte = static_cast<unsigned char>(c); byte > 0 && byte < 0x80) {
      text.push_back(c);
    } else {
      text += "\xEF\xBF\xBD";
    }
  }
  return text;
}

}  // namespace

void Violations::add(std::string_view value, std::string_view member, std::string_view constraint) {
  texts_.push_back(
      fmt::format("Value '{}' at '{}' failed to satisfy constraint: {}", shown(value), member, constraint));
}

void Violations::add_missing(std::string_view member) {
  texts_.push_back(
      fmt::format("Value null at '{}' failed to satisfy constraint: Member must not be null", member));
}

void Violations::add_hidden(std::string_view member, std::string_view constraint) {
  texts_.push_back(fmt::format("Value at '{}' failed to satisfy constraint: {}", member, constraint));
}

void Violations::check_length(std::string_view value, std::string_view member, std::size_t least,
                              std::size_t most) {
  if (value.size() < least)
    add(value, member, fmt::format("Member must have length greater than or equal to {}", least));
  if (value.size() > most)
    add(value, member, fmt::format("Member must have length less than or equal to {}", most));
}

void Violations::check_range(long long value, std::string_view member, long long least, long long most) {
  if (value < least) add(std::to_string(value), member, must_be_at_least(least));
  if (value > most) add(std::to_string(value), member, must_be_at_most(most));
}

std::optional<Error> Violations::error() const {
  if (texts_.empty()) return std::nullopt;
  return Error(ErrorCode::ValidationException,
               fmt::format("{} validation error{} detected: {}", texts_.size(), texts_.size() == 1 ? "" : "s",
                           fmt::join(texts_, "; ")));
}

std::string must_match(std::string_view pattern) {
  return fmt::format("Member must satisfy regular expression pattern: {}", pattern);
}
std::string must_be_at_least(long long least) {
  return fmt::format("Member must have value greater than or equal to {}", least);
}
std::string must_be_at_most(long long most) {
  return fmt::format("Member must have value less than or equal to {}", most);
}

Error invalid_parameter(const std::string& message) {
  return {ErrorCode::InvalidParameterValueException, message};
}

}  // namespace lambed::model
