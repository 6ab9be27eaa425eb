#include "script.h"

#include <cstdio>
#include <cstdlib>

namespace scripted {

std::vector<Step> parse_script(std::string_view script) {
  std::vector<Step> steps;
  while (!script.empty()) {
    const std::size_t end = script.find(';');
    const std::string_view word = script.substr(0, end);
    script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
      steps.push_back({word, {}});
    } else {
      steps.push_back({word.substr(0, equals), word.substr(equals + 1)});
    }
  }
  return steps;
}

std::string_view script_of_event(std::string_view event) {
  static constexpr std::string_view kKey = "\"do\":\"";
  const std::size_t key = event.substr(0, 256).find(kKey);
  if (key == std::string_view::npos) return {};
  event.remove_prefix(key + kKey.size());
  const std::size_t end = event.find('"');
  return end == std::string_view::npos ? std::string_view{} : event.substr(0, end);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      result += escape;
    } else {
      result += c;
    }
  }
  return result + '"';
}

long number(std::string_view text) { return std::strtol(std::string(text).c_str(), nullptr, 10); }

}  // namespace scripted
