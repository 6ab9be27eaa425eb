#include "cli/handler_scan.h"

#include <algorithm>
#include <cctype>

namespace lambed::cli {
namespace {

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// `name` as a whole word at the start of `text`.
bool starts_with_word(std::string_view text, std::string_view name) {
  return text.starts_with(name) && (text.size() == name.size() || !is_word_character(text[name.size()]));
}

bool contains_word(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if ((at == 0 || !is_word_character(text[at - 1])) && starts_with_word(text.substr(at), name)) return true;
  }
  return false;
}

std::string_view without_indent(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : line.substr(first);
}

// Takes `prefix` and the blanks after it off the text. False, and nothing taken, when the text starts
// otherwise.
bool skip(std::string_view& text, std::string_view prefix) {
  if (!starts_with_word(text, prefix)) return false;
  text = without_indent(text.substr(prefix.size()));
  return true;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// def NAME, async def NAME, NAME = ..., from x import ..., NAME
bool python_line_defines(std::string_view line, std::string_view name) {
  if (line.starts_with("from ") && line.find(" import ") != std::string_view::npos) {
    return contains_word(line.substr(line.find(" import ")), name);
  }
  skip(line, "async");
  if (skip(line, "def")) return starts_with_word(line, name);
  if (!starts_with_word(line, name)) return false;
  const std::string_view rest = without_indent(line.substr(name.size()));
  return rest.starts_with("=") && !rest.starts_with("==");
}

std::string_view without_trailing_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

// exports.NAME =, module.exports.NAME =, module.exports = { ... NAME ... }, export const NAME, export async
// function NAME, export { x as NAME }. By hand: std::regex recurses and would overflow the stack on a bundle
// of some megabytes.
bool node_text_defines(std::string_view text, std::string_view name) {
  // Where the line and the braces before `at` begin: moved on with it, since a bundle may be one line of megabytes that names
  // `name` a hundred thousand times.
  std::size_t seen = 0, line_start = 0;
  std::size_t open = std::string_view::npos, close = std::string_view::npos;
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    for (; seen < at; ++seen) {
      if (text[seen] == '\n') line_start = seen + 1;
      if (text[seen] == '{') open = seen;
      if (text[seen] == '}') close = seen;
    }
    const std::string_view before = text.substr(0, at);
    if ((at > 0 && is_word_character(text[at - 1])) || !starts_with_word(text.substr(at), name)) continue;
    if (before.ends_with("exports.")) {
      const std::string_view after = without_indent(text.substr(at + name.size()));
      if (after.starts_with("=") && !after.starts_with("==")) return true;
      continue;
    }
    const std::string_view line = before.substr(line_start);
    if (line.starts_with("export") && !line.starts_with("export default")) return true;
    if (open == std::string_view::npos || (close != std::string_view::npos && close > open)) continue;
    std::string_view owner = without_trailing_blanks(before.substr(0, open));
    if (owner.ends_with("export")) return true;
    if (owner.ends_with("=") &&
        without_trailing_blanks(owner.substr(0, owner.size() - 1)).ends_with("exports"))
      return true;
  }
  return false;
}

// def NAME at top level, or def self.NAME below the last `class X` or `module X`.
std::optional<std::string> ruby_handler(std::string_view text, std::string_view name) {
  std::string owner;
  for (const std::string_view line : lines_of(text)) {
    std::string_view statement = without_indent(line);
    const bool at_top = statement.size() == line.size();
    if (skip(statement, "class") || skip(statement, "module")) {
      const auto end = std::find_if_not(statement.begin(), statement.end(),
                                        [](char c) { return is_word_character(c) || c == ':'; });
      if (at_top) owner.assign(statement.begin(), end);
      continue;
    }
    if (!skip(statement, "def")) continue;
    if (at_top && starts_with_word(statement, name)) return std::string(name);
    if (!at_top && !owner.empty() && statement.starts_with("self.") &&
        starts_with_word(statement.substr(5), name)) {
      return owner + "." + std::string(name);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> usual_handler_names(std::string_view language) {
  if (language == "nodejs") return {"handler", "lambdaHandler", "lambda_handler"};
  return {"lambda_handler", "handler"};
}

std::optional<std::string> find_handler(std::string_view language, std::string_view text) {
  for (const std::string& name : usual_handler_names(language)) {
    if (language == "python") {
      for (const std::string_view line : lines_of(text)) {
        if (python_line_defines(line, name)) return name;
      }
    } else if (language == "nodejs") {
      if (node_text_defines(text, name)) return name;
    } else if (auto found = ruby_handler(text, name)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace lambed::cli
