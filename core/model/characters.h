// Classes of ASCII characters, whatever the process's locale says.
#pragma once

#include <algorithm>
#include <string_view>

namespace lambed::model {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

template <class Of>
bool all_of(std::string_view text, Of of) {
  return std::all_of(text.begin(), text.end(), of);
}

}  // namespace lambed::model
