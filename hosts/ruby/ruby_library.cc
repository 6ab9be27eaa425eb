#include "ruby_library.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

namespace lambed::ruby {

RubyFunctions rb;

namespace {

template <typename Function>
bool resolve(void* library, const char* name, Function& function) {
  void* const symbol = dlsym(library, name);
  static_assert(sizeof symbol == sizeof function);
  std::memcpy(&function, &symbol, sizeof function);
  return symbol != nullptr;
}

bool is_supported(const char* version) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(version, "%d.%d", &major, &minor) != 2) return false;
  return (major == 2 && minor >= 7) || (major == 3 && minor <= 4);
}

}  // namespace

std::string open_ruby_library(const std::string& path, std::string& version) {
  // Not RTLD_DEEPBIND: it crashes Ruby and breaks `environ` inside node.
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return std::string("cannot load libruby: ") + dlerror();

  const auto* const version_text = static_cast<const char*>(dlsym(library, "ruby_version"));
  if (version_text == nullptr) return path + " is not a libruby: it has no symbol ruby_version";
  version = version_text;
  if (!is_supported(version_text)) return path + " is Ruby " + version + "; this host knows Ruby 2.7 to 3.4";

#define RUBY_FUNCTION(result, name, parameters) \
  if (!resolve(library, #name, rb.name)) return path + " lacks the function " #name;
#include "ruby_functions.def"
#undef RUBY_FUNCTION
  return {};
}

}  // namespace lambed::ruby
