// lambed_environment_options with owners: what an environment keeps of them.
#pragma once

#include <lambed/host.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lambed::python {

struct EnvironmentSettings {
  explicit EnvironmentSettings(const lambed_environment_options& options);

  void* user;
  std::string function_name;
  std::string function_version;
  std::string code_id;
  std::string runtime;
  std::string handler;
  std::string task_root;
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, std::string>> variables;
  std::uint64_t memory_limit;  // bytes
  std::string log_group;
  std::string log_stream;
  bool json_logs;

  // Whether results are written with \u escapes for all but ASCII: Lambda's runtimes do so up to Python 3.11.
  bool has_ascii_results() const;
};

}  // namespace lambed::python
