// What `open` was told, kept: the slices of host.h are only valid during the call.
#ifndef LAMBED_HOSTS_NODE_ENVIRONMENT_OPTIONS_H
#define LAMBED_HOSTS_NODE_ENVIRONMENT_OPTIONS_H

#include <lambed/host.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambed::node_host {

inline std::string_view view(lambed_slice slice) {
  return {slice.data == nullptr ? "" : slice.data, slice.size};
}
inline lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

struct EnvironmentOptions {
  explicit EnvironmentOptions(const lambed_environment_options& given)
      : user(given.user),
        function_name(view(given.function_name)),
        runtime(view(given.runtime)),
        handler(view(given.handler)),
        task_root(view(given.task_root)),
        memory_limit(given.memory_limit),
        log_group(view(given.log_group)),
        log_stream(view(given.log_stream)),
        has_json_logs(given.json_logs != 0) {
    for (size_t at = 0; at < given.layer_count; ++at) layers.emplace_back(view(given.layers[at]));
    for (size_t at = 0; at < given.variable_count; ++at) {
      variables.emplace_back(view(given.variables[at].name), view(given.variables[at].value));
    }
  }

  void* user;  // the core's name for the environment
  std::string function_name;
  std::string runtime;
  std::string handler;
  std::string task_root;
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, std::string>> variables;
  uint64_t memory_limit;  // bytes; 0: none
  std::string log_group;
  std::string log_stream;
  bool has_json_logs;
};

}  // namespace lambed::node_host
#endif
