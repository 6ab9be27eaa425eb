// Finds the floors that are modules of their own.
#include <dlfcn.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "floor.h"

namespace bench {
namespace {

std::unique_ptr<Floor> open_module(const std::string& language, bool start) {
  const std::string path = floor_module(language);
  if (!std::filesystem::exists(path)) {
    throw std::runtime_error(
        path + " has not been built: its interpreter was not found when the build was configured");
  }
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) throw std::runtime_error(::dlerror());
  const auto make = reinterpret_cast<Floor* (*)(int)>(::dlsym(module, kFloorEntry));
  if (make == nullptr) throw std::runtime_error(::dlerror());
  return std::unique_ptr<Floor>(make(start ? 1 : 0));
}

// The library of the `ruby` that PATH (or LAMBED_RUBY) names.
std::string library_of_ruby() {
  const char* const chosen = std::getenv("LAMBED_RUBY");
  const std::string command = std::string(chosen != nullptr ? chosen : "ruby") +
                              " -rrbconfig -e 'c = RbConfig::CONFIG; "
                              "print (c[%q(archlibdir)] || c[%q(libdir)]) + %q(/) + c[%q(LIBRUBY_SO)]'";
  std::string path;
  if (FILE* const answer = ::popen(command.c_str(), "r")) {
    char line[4096];
    if (std::fgets(line, sizeof line, answer) != nullptr) path = line;
    ::pclose(answer);
  }
  return path;
}

}  // namespace

std::string floor_module(const std::string& language) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / ("floor_" + language + ".so"))
      .string();
}

std::unique_ptr<Floor> make_node_floor(bool start) { return open_module("node", start); }

std::unique_ptr<Floor> make_ruby_floor(bool start) {
  // The module is written like an extension of Ruby: it expects libruby's symbols in the global scope.
  if (start && ::dlopen(library_of_ruby().c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw std::runtime_error(::dlerror());
  }
  return open_module("ruby", start);
}

}  // namespace bench
