#include "environment_settings.h"

#include <cstdlib>

namespace lambed::python {

namespace {

std::string text_of_slice(lambed_slice slice) {
  return slice.size == 0 ? std::string() : std::string(slice.data, slice.size);
}

constexpr int kFirstMinorWithUnicodeResults = 12;

}  // namespace

EnvironmentSettings::EnvironmentSettings(const lambed_environment_options& options)
    : user(options.user),
      function_name(text_of_slice(options.function_name)),
      function_version(text_of_slice(options.function_version)),
      code_id(text_of_slice(options.code_id)),
      runtime(text_of_slice(options.runtime)),
      handler(text_of_slice(options.handler)),
      task_root(text_of_slice(options.task_root)),
      memory_limit(options.memory_limit),
      log_group(text_of_slice(options.log_group)),
      log_stream(text_of_slice(options.log_stream)),
      json_logs(options.json_logs != 0) {
  for (std::size_t i = 0; i < options.layer_count; ++i) layers.push_back(text_of_slice(options.layers[i]));
  for (std::size_t i = 0; i < options.variable_count; ++i) {
    variables.emplace_back(text_of_slice(options.variables[i].name),
                           text_of_slice(options.variables[i].value));
  }
}

bool EnvironmentSettings::has_ascii_results() const {
  static const std::string prefix = "python3.";
  if (runtime.rfind(prefix, 0) != 0) return false;
  return std::atoi(runtime.c_str() + prefix.size()) < kFirstMinorWithUnicodeResults;
}

}  // namespace lambed::python
