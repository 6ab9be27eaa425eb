#include "model/reference.h"

#include <fmt/format.h>

#include <array>

#include "model/characters.h"
#include "model/violations.h"

namespace lambed::model {

namespace {

// The API model's patterns, for the messages. The parsing below reads the four documented forms and nothing
// else: the patterns also permit, for example, a region without a partition, which would make
// "my-func-1:live" ambiguous.
constexpr char kReadPattern[] =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?)"
    R"(([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?)";
constexpr char kWritePattern[] =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?)"
    R"(([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?)";
constexpr char kQualifierPattern[] = R"(\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+)";

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxQualifier = 128;

bool is_name_character(char c) {
  return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

bool is_partition(std::string_view text) {
  return text.starts_with("aws") &&
         all_of(text, [](char c) { return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '-'; });
}

// [a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]
bool is_region(std::string_view text) {
  if (text.size() < 6 || !is_lower(text[0]) || !is_lower(text[1]) || text[2] != '-') return false;
  if (!is_digit(text.back()) || text[text.size() - 2] != '-') return false;
  std::string_view middle = text.substr(3, text.size() - 5);
  if (const auto dash = middle.find('-'); dash != std::string_view::npos) {
    const std::string_view kind = middle.substr(0, dash);
    if (kind != "gov" && !(kind.starts_with("iso") && kind.size() <= 4 && all_of(kind, is_lower)))
      return false;
    middle = middle.substr(dash + 1);
  }
  return !middle.empty() && all_of(middle, is_lower);
}

bool is_embedded_qualifier(std::string_view text, NameUse use) {
  return is_latest(text) || (use == NameUse::kRead && text == "$LATEST.PUBLISHED") ||
         (!text.empty() && all_of(text, is_name_character));
}

bool is_name(std::string_view text, NameUse use) {
  return !text.empty() &&
         all_of(text, [&](char c) { return is_name_character(c) || (c == '.' && use == NameUse::kRead); });
}

struct Parts {
  std::string_view region, account, name, qualifier;
};

// False: none of the documented forms.
bool split(std::string_view text, NameUse use, Parts& parts) {
  std::array<std::string_view, 8> fields;
  std::size_t count = 0;
  for (std::string_view rest = text;; ++count) {
    if (count == fields.size()) return false;
    const auto colon = rest.find(':');
    fields[count] = rest.substr(0, colon);
    if (colon == std::string_view::npos) break;
    rest = rest.substr(colon + 1);
  }
  ++count;

  std::size_t name_at = 0;
  if (fields[0] == "arn" && count > 2) {
    if (count < 7 || !is_partition(fields[1]) || fields[2] != "lambda" || fields[5] != "function")
      return false;
    parts.region = fields[3];
    parts.account = fields[4];
    if (!is_region(parts.region) || !is_account(parts.account)) return false;
    name_at = 6;
  } else if (count >= 3) {
    parts.account = fields[0];
    if (fields[1] != "function" || !is_account(parts.account)) return false;
    name_at = 2;
  }
  if (count > name_at + 2) return false;
  parts.name = fields[name_at];
  if (count == name_at + 2) {
    parts.qualifier = fields[name_at + 1];
    if (!is_embedded_qualifier(parts.qualifier, use)) return false;
  }
  return is_name(parts.name, use);
}

void check_qualifier(std::string_view qualifier, Violations& violations) {
  violations.check_length(qualifier, "qualifier", 1, kMaxQualifier);
  if (qualifier != "$LATEST.PUBLISHED" &&
      !all_of(qualifier, [](char c) { return is_name_character(c) || c == '$'; })) {
    violations.add(qualifier, "qualifier", must_match(kQualifierPattern));
  }
}

}  // namespace

std::string function_arn(const Scope& scope, std::string_view name, std::string_view qualifier) {
  std::string arn;
  arn.reserve(48 + scope.region.size() + name.size() + qualifier.size());
  arn.append("arn:aws:lambda:")
      .append(scope.region)
      .append(":")
      .append(scope.account)
      .append(":function:")
      .append(name);
  if (!qualifier.empty()) arn.append(":").append(qualifier);
  return arn;
}

std::string FunctionReference::arn() const { return function_arn({region, account}, name); }
std::string FunctionReference::qualified_arn() const {
  return function_arn({region, account}, name, qualifier);
}

bool is_account(std::string_view text) { return text.size() == 12 && all_of(text, is_digit); }

bool is_version_number(std::string_view qualifier) {
  return !qualifier.empty() && all_of(qualifier, is_digit);
}

Result<FunctionReference> parse_function_reference(std::string_view text, std::string_view qualifier,
                                                   const Scope& scope, NameUse use) {
  Violations violations;
  Parts parts;
  const bool well_formed = split(text, use, parts);
  if (!well_formed) {
    violations.add(text, "functionName", must_match(use == NameUse::kRead ? kReadPattern : kWritePattern));
  }
  violations.check_length(text, "functionName", text.empty() ? 1 : 0, use == NameUse::kRead ? 170 : 140);
  if (!qualifier.empty()) check_qualifier(qualifier, violations);
  if (!violations.empty()) return *violations.error();

  if (use == NameUse::kCreate && parts.name.size() > kMaxName) {
    // Worded like the model layer's, yet typed like the business layer's: so AWS answers.
    Violations too_long;
    too_long.check_length(text, "functionName", 0, kMaxName);
    return invalid_parameter(too_long.error()->message());
  }
  if (!parts.region.empty() && parts.region != scope.region) {
    return Error(ErrorCode::ResourceNotFoundException,
                 fmt::format("Functions from '{}' are not reachable in this region ('{}')", parts.region,
                             scope.region));
  }
  if (!parts.account.empty() && parts.account != scope.account) {
    return Error(ErrorCode::AccessDeniedException,
                 fmt::format("The function {} belongs to another account than this one ({})",
                             function_arn({parts.region.empty() ? scope.region : std::string(parts.region),
                                           std::string(parts.account)},
                                          parts.name, parts.qualifier),
                             scope.account));
  }
  if (!parts.qualifier.empty() && !qualifier.empty() && parts.qualifier != qualifier) {
    return invalid_parameter(
        "The derived qualifier from the function name does not match the specified qualifier.");
  }
  return FunctionReference{scope.account, scope.region, std::string(parts.name),
                           std::string(qualifier.empty() ? parts.qualifier : qualifier)};
}

}  // namespace lambed::model
