#include "model/runtimes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "model/violations.h"

namespace lambed::model {

namespace {

constexpr std::array<std::string_view, 16> kRuntimes = {
    "nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "python3.8",
    "python3.9",  "python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
    "ruby2.7",    "ruby3.2",    "ruby3.3",    "ruby3.4"};

// AWS took these once and refuses to create or update functions with them now.
constexpr std::array<std::string_view, 11> kRetiredRuntimes = {
    "nodejs",     "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x",
    "nodejs14.x", "python2.7", "python3.6",  "python3.7",  "ruby2.5"};

constexpr std::array<std::string_view, 3> kLanguages = {"python", "nodejs", "ruby"};

template <class Table>
bool contains(const Table& table, std::string_view text) {
  return std::find(table.begin(), table.end(), text) != table.end();
}

// A line that begins with import or export makes a module; CommonJS has no such line outside of strings and
// comments.
bool is_es_module(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    for (const std::string_view word : {"import", "export"}) {
      if (line.starts_with(word) && line.size() > word.size() &&
          std::string_view(" \t{*\"'").find(line[word.size()]) != std::string_view::npos) {
        return true;
      }
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return false;
}

bool stays_inside(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos)
      return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// "java21" -> "java"
std::string_view unversioned(std::string_view runtime) {
  return runtime.substr(0, runtime.find_first_of("0123456789."));
}

}  // namespace

std::string_view language_of(std::string_view runtime) {
  if (!contains(kRuntimes, runtime)) return {};
  for (const std::string_view language : kLanguages) {
    if (runtime.starts_with(language)) return language;
  }
  return {};
}

Result<void> check_runtime(std::string_view runtime, const OtherLanguages& others) {
  if (contains(kRuntimes, runtime)) return {};
  // Of the languages that AWS has, AWS's list decides.
  const std::string_view language = unversioned(runtime);
  if (!contains(kLanguages, language) && contains(others, language)) return {};
  if (contains(kRetiredRuntimes, runtime)) {
    return invalid_parameter(
        fmt::format("The runtime parameter of {} is no longer supported for creating or updating AWS Lambda "
                    "functions. We "
                    "recommend you use a supported runtime while creating or updating functions.",
                    runtime));
  }
  return invalid_parameter(
      fmt::format("Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
                  "set: [{}] or be a valid ARN",
                  runtime, fmt::join(kRuntimes, ", ")));
}

Result<std::string> inline_source_path(std::string_view runtime, std::string_view handler,
                                       std::string_view text) {
  const std::string_view language = language_of(runtime);
  const auto slash = handler.rfind('/');
  const auto after_slash = slash == std::string_view::npos ? 0 : slash + 1;
  // Python's last dot ends the module ("a.b.f" is f in a/b.py); for the others the first dot ends the file
  // ("a.b.c" is b.c in a).
  const auto dot = language == "python" ? handler.rfind('.') : handler.find('.', after_slash);
  std::string path(handler.substr(0, dot));
  if (dot == std::string_view::npos || dot < after_slash || dot + 1 == handler.size()) path.clear();
  if (language == "python") std::replace(path.begin(), path.end(), '.', '/');
  if (!stays_inside(path)) {
    return invalid_parameter(fmt::format(
        "The handler '{}' names no source file. Write it as file.function, for example index.handler.",
        handler));
  }
  if (language == "python") return path + ".py";
  if (language == "ruby") return path + ".rb";
  if (language == "nodejs") return path + (is_es_module(text) ? ".mjs" : ".js");
  return path + "." + std::string(unversioned(runtime));
}

}  // namespace lambed::model
