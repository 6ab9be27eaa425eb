// Reading scripts and writing JSON, as far as the scripted host needs either.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scripted {

struct Step {
  std::string_view verb;
  std::string_view argument;
};

// The views point into `script`.
std::vector<Step> parse_script(std::string_view script);

// The text of the event's member "do", or an empty view.
std::string_view script_of_event(std::string_view event);

// `text` as a JSON string with its quotes.
std::string quoted(std::string_view text);

// 0 when `text` is no number.
long number(std::string_view text);

}  // namespace scripted
