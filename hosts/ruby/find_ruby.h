// Where libruby is.
#pragma once

#include <string>
#include <vector>

namespace lambed::ruby {

// Libraries to try, best first, as paths or as bare names for the dynamic linker. `interpreter` is the host option: an
// executable, a libruby, or empty; then the variable LAMBED_RUBY counts, then the `ruby` on PATH, then the system's libruby.
// An interpreter named by the caller is the only one tried. `problem` receives why nothing better was found.
std::vector<std::string> find_ruby_libraries(const std::string& interpreter, std::string& problem);

}  // namespace lambed::ruby
