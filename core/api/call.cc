#include "api/call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "base/digest.h"
#include "base/json.h"

namespace lambed::api {
namespace {

using nlohmann::json;

const char* kind_of(const json& value) {
  if (value.is_string()) return "STRING_VALUE";
  if (value.is_number_float()) return "DECIMAL_VALUE";
  if (value.is_number()) return "NUMBER_VALUE";
  if (value.is_boolean()) return value.get<bool>() ? "TRUE_VALUE" : "FALSE_VALUE";
  return value.is_array() ? "LIST_VALUE" : "STRUCTURE_VALUE";
}

[[noreturn]] void wrong_type(const json& value, const char* wanted) {
  Fault fault(400, "SerializationException",
              fmt::format("{} can not be converted to {}", kind_of(value), wanted));
  fault.type.clear();
  throw fault;
}

std::string as_text(const json& value) {
  if (!value.is_string()) wrong_type(value, "a String");
  return value.get<std::string>();
}

constexpr std::string_view kMarkerPrefix = "after:";

}  // namespace

const json* Members::find(const char* name) const {
  const auto it = object_.find(name);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool Members::has(const char* name) const { return find(name) != nullptr; }

bool Members::is_empty(const char* name) const {
  const json* value = find(name);
  return value == nullptr || value->empty();
}

std::optional<std::string> Members::text(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  return as_text(*value);
}

std::optional<int> Members::integer(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) wrong_type(*value, "an Integer");
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > std::numeric_limits<int>::max()) {
    wrong_type(*value, "an Integer");
  }
  const auto number = value->get<std::int64_t>();
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    wrong_type(*value, "an Integer");
  }
  return static_cast<int>(number);
}

std::optional<bool> Members::boolean(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) wrong_type(*value, "a Boolean");
  return value->get<bool>();
}

std::optional<Members> Members::structure(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) wrong_type(*value, "a Structure");
  return Members(*value);
}

std::optional<std::map<std::string, std::string>> Members::text_map(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) wrong_type(*value, "a Map");
  std::map<std::string, std::string> found;
  for (const auto& [key, entry] : value->items()) found.emplace(key, as_text(entry));
  return found;
}

std::optional<std::map<std::string, double>> Members::number_map(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) wrong_type(*value, "a Map");
  std::map<std::string, double> found;
  for (const auto& [key, entry] : value->items()) {
    if (!entry.is_number()) wrong_type(entry, "a Double");
    found.emplace(key, entry.get<double>());
  }
  return found;
}

std::optional<std::vector<std::string>> Members::text_list(const char* name) const {
  const json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) wrong_type(*value, "a List");
  std::vector<std::string> found;
  for (const json& entry : *value) found.push_back(as_text(entry));
  return found;
}

std::string Call::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

Members Call::body() const {
  if (request.body.empty()) return Members(json::object());
  if (const auto fault = json_fault(request.body)) {
    throw Fault(400, "InvalidRequestContentException", "Could not parse request body into json: " + *fault);
  }
  json parsed = json::parse(request.body, nullptr, false);
  if (parsed.is_discarded()) {
    throw Fault(400, "InvalidRequestContentException", "Could not parse request body into json.");
  }
  if (!parsed.is_object()) wrong_type(parsed, "a Structure");
  return Members(std::move(parsed));
}

std::string marker_of(const std::string& key) { return base64_encode(std::string(kMarkerPrefix) + key); }

Page page_of(const Call& call, std::size_t most, int highest) {
  Page page;
  page.size = most;
  if (const std::string text = call.parameter("MaxItems"); !text.empty()) {
    const bool is_number = text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
    model::Violations violations;
    if (!is_number) {
      violations.add(text, "maxItems", "Member must be an integer");
    } else {
      violations.check_range(std::stoll(text), "maxItems", 1, highest);
    }
    throw_if_any(violations);
    page.size = std::min<std::size_t>(static_cast<std::size_t>(std::stoll(text)), most);
  }
  if (const std::string marker = call.parameter("Marker"); !marker.empty()) {
    const auto decoded = base64_decode(marker);
    if (!decoded || !decoded->starts_with(kMarkerPrefix)) {
      throw Fault(400, "InvalidParameterValueException", "Invalid pagination marker: " + marker);
    }
    page.after = decoded->substr(kMarkerPrefix.size());
  }
  return page;
}

void check_enum(model::Violations& violations, const std::optional<std::string>& value,
                std::string_view member, std::initializer_list<std::string_view> allowed) {
  if (!value || std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) return;
  violations.add(*value, member,
                 fmt::format("Member must satisfy enum value set: [{}]", fmt::join(allowed, ", ")));
}

void throw_if_any(const model::Violations& violations) {
  if (auto error = violations.error()) throw Fault(*error);
}

}  // namespace lambed::api
