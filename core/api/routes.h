// Which operation of the Lambda API a request means: method and path of all 85 operations of the service model, in both
// generations of paths (with and without a slash at the end). Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lambed::api {

class Api;
struct Call;

// The parts of a path that a template names, decoded: {"FunctionName": "hello"}.
using PathParameters = std::map<std::string, std::string, std::less<>>;

struct Operation {
  std::string_view name;      // "CreateFunction"
  std::string_view method;    // "POST"
  std::string_view path;      // "/2015-03-31/functions/{FunctionName}"
  std::string_view selector;  // "find=LayerVersion": only with this in the query
};

struct Match {
  const Operation* operation = nullptr;
  PathParameters parameters;
};

// nullopt: no operation has this path and method.
std::optional<Match> match(std::string_view method, std::string_view path, std::string_view query);

// For tests: the whole table.
std::pair<const Operation*, std::size_t> operations();

}  // namespace lambed::api
