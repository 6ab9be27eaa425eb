// How calls of the system that failed are thrown in this room.
#pragma once

#include <string>
#include <system_error>

namespace lambed::http {

// `error`: an errno. Throws std::system_error.
[[noreturn]] inline void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace lambed::http
