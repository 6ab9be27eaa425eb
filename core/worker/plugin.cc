#include "worker/plugin.h"

#include <dlfcn.h>

#include <array>
#include <cstddef>

namespace lambed::worker {
namespace {

lambed_slice slice(const std::string& text) { return {text.data(), text.size()}; }
std::string text_of(lambed_slice s) {
  return s.data == nullptr ? std::string() : std::string(s.data, s.size);
}

Error unavailable(const std::string& message) { return Error(ErrorCode::HostUnavailable, message); }

lambed_host_description description_of(const lambed_host_api& api) {
  lambed_host_description description{};
  description.size = sizeof description;
  api.describe(&description);
  return description;
}

}  // namespace

Result<Plugin> Plugin::load(const channel::Hello& hello) {
  // As in the registry of a server: RTLD_LOCAL keeps libraries apart, and nothing is ever unloaded.
  void* library = dlopen(hello.plugin_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unavailable(hello.plugin_path + " cannot be loaded: " + dlerror());
  auto* entry = reinterpret_cast<lambed_host_entry_function>(dlsym(library, LAMBED_HOST_ENTRY));
  const lambed_host_api* api = entry == nullptr ? nullptr : entry(LAMBED_HOST_ABI);
  if (api == nullptr || api->abi != LAMBED_HOST_ABI) {
    return unavailable(hello.plugin_path + " is no host of plugin ABI " + std::to_string(LAMBED_HOST_ABI) +
                       ". Rebuild the plugin, or remove the file.");
  }
  return Plugin(api, hello.plugin_path, hello.options);
}

bool Plugin::runs_before_fork() const {
  return api_->size >= offsetof(lambed_host_api, after_fork) + sizeof api_->after_fork &&
         api_->before_fork != nullptr && api_->after_fork != nullptr;
}

Result<void> Plugin::start(const lambed_core& core) const {
  std::vector<lambed_option> list;
  for (const auto& [name, value] : options_) list.push_back({slice(name), slice(value)});
  lambed_host_options options{};
  options.size = sizeof options;
  options.context = LAMBED_CONTEXT_WORKER;
  options.plugin_path = slice(path_);
  options.options = list.data();
  options.option_count = list.size();
  std::array<char, 1024> message{};
  if (api_->start(&core, &options, message.data(), message.size()) == 0) return {};
  message.back() = '\0';
  return unavailable(message.data());
}

void Plugin::describe(channel::Ready& ready) const {
  const lambed_host_description description = description_of(*api_);
  ready.language = text_of(description.language);
  ready.interpreter_version = text_of(description.interpreter_version);
  ready.interpreter_path = text_of(description.interpreter_path);
}

std::string Plugin::interpreter_path() const { return text_of(description_of(*api_).interpreter_path); }

}  // namespace lambed::worker
