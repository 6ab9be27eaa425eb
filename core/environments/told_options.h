// What a host is told when it opens an environment, from a description of that: EnvironmentSpec here, the order of a launcher in
// a worker.
//
// Threads: a value. It refers to the description, which must outlive it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lambed/host.h"

namespace lambed::environments {

class ToldOptions {
 public:
  template <typename Description>
  ToldOptions(const Description& description, void* user, std::int64_t init_deadline) {
    for (const auto& layer : description.layers) layers_.push_back(slice(layer));
    for (const auto& [name, value] : description.variables) variables_.push_back({slice(name), slice(value)});
    options_.size = sizeof options_;
    options_.user = user;
    options_.function_name = slice(description.function_name);
    options_.function_version = slice(description.function_version);
    options_.function_id = slice(description.function_id);
    options_.code_id = slice(description.code_id);
    options_.runtime = slice(description.runtime);
    options_.handler = slice(description.handler);
    options_.task_root = slice(description.task_root);
    options_.layers = layers_.data();
    options_.layer_count = layers_.size();
    options_.variables = variables_.data();
    options_.variable_count = variables_.size();
    options_.memory_limit = description.memory_limit;
    options_.init_deadline = init_deadline;
    options_.log_group = slice(description.log_group);
    options_.log_stream = slice(description.log_stream);
    options_.json_logs = description.json_logs ? 1 : 0;
  }
  ToldOptions(const ToldOptions&) = delete;
  ToldOptions& operator=(const ToldOptions&) = delete;

  const lambed_environment_options& get() const { return options_; }

 private:
  static lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

  std::vector<lambed_slice> layers_;
  std::vector<lambed_variable> variables_;
  lambed_environment_options options_{};
};

}  // namespace lambed::environments
