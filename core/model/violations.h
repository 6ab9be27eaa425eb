// Violations of the API model, collected: AWS reports all of them in one ValidationException. Not
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lambed/errors.h"

namespace lambed::model {

class Violations {
 public:
  // "Value 'VALUE' at 'MEMBER' failed to satisfy constraint: CONSTRAINT". `member` is in camelCase, as AWS
  // prints it.
  void add(std::string_view value, std::string_view member, std::string_view constraint);
  // "Value null at 'MEMBER' failed to satisfy constraint: Member must not be null"
  void add_missing(std::string_view member);
  // A member whose value AWS does not repeat (environment variables).
  void add_hidden(std::string_view member, std::string_view constraint);

  // The common constraints; nothing is added when the value satisfies them.
  void check_length(std::string_view value, std::string_view member, std::size_t least, std::size_t most);
  void check_range(long long value, std::string_view member, long long least, long long most);

  bool empty() const { return texts_.empty(); }
  // "N validation error(s) detected: ...; ..."; nullopt when there are none.
  std::optional<Error> error() const;

 private:
  std::vector<std::string> texts_;
};

std::string must_match(
    std::string_view pattern);                  // "Member must satisfy regular expression pattern: PATTERN"
std::string must_be_at_least(long long least);  // "Member must have value greater than or equal to N"
std::string must_be_at_most(long long most);    // "Member must have value less than or equal to N"

// An InvalidParameterValueException: the errors of AWS's business layer.
Error invalid_parameter(const std::string& message);

}  // namespace lambed::model
