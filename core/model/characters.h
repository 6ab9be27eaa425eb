// Classes of ASCII characters, whatever the process's locale says.
#pragma once

namespace lambed::model {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace lambed::model
