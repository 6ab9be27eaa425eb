// The Ruby C API as a table filled at run time: this plugin is not linked to libruby.
#pragma once

#include <string>

namespace lambed::ruby {

using VALUE = unsigned long;
using ID = unsigned long;

// The functions of ruby_functions.def, and the special constants as the loaded version has them.
struct RubyFunctions {
#define RUBY_FUNCTION(result, name, parameters) result(*name) parameters;
#include "ruby_functions.def"
#undef RUBY_FUNCTION
  VALUE nil;
};

// Valid after open_ruby_library has succeeded. Plain data: nothing to destroy at exit.
extern RubyFunctions rb;

// Opens libruby RTLD_GLOBAL, because Ruby's C extensions look for its symbols there, and fills `rb`. `version` receives
// "3.1.2". Returns an empty string, or a sentence with the cause. A library stays open for ever.
std::string open_ruby_library(const std::string& path, std::string& version);

}  // namespace lambed::ruby
