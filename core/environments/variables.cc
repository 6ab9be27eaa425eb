#include "environments/variables.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>

namespace lambed::environments {
namespace {

// Source: "at 1,769 MB, a function has the equivalent of one vCPU" (docs/fidelity.md).
constexpr double kMegabytesOfOneCore = 1769;

// "2025/11/24/[$LATEST]<32 hex>"
std::string log_stream_name(const std::string& version, Random& random,
                            std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y/%m/%d}/[{}]{}", utc, version, random.hex32());
}

}  // namespace

Result<EnvironmentSpec> describe_environment(const catalog::FunctionVersion& version,
                                             const GatewayOptions& options, Random& random,
                                             std::chrono::system_clock::time_point now) {
  const FunctionConfiguration& configuration = version.configuration;
  EnvironmentSpec spec;
  if (version.code != nullptr) {
    auto root = version.code->task_root();
    if (!root.ok()) return root.error();
    spec.task_root = *root;
    spec.code_id = version.code->code_id();
  }
  spec.function_name = version.function_name;
  spec.function_version = version.version;
  spec.function_id = version.function_id;
  spec.runtime = configuration.runtime;
  spec.handler = configuration.handler;
  // Of two layers with the same file the one listed later wins, so it is searched first.
  spec.layers.assign(configuration.layers.rbegin(), configuration.layers.rend());
  spec.memory_limit = static_cast<std::uint64_t>(configuration.memory_mb) * 1024 * 1024;
  spec.log_group =
      configuration.log_group.empty() ? "/aws/lambda/" + version.function_name : configuration.log_group;
  spec.log_stream = log_stream_name(version.version, random, now);
  spec.json_logs = configuration.log_format == LogFormat::kJson;
  spec.cores = configuration.memory_mb / kMegabytesOfOneCore;
  spec.tmp_bytes = static_cast<std::uint64_t>(configuration.ephemeral_storage_mb) * 1024 * 1024;
  spec.max_event = std::max(options.quotas.sync_payload, options.quotas.async_payload);
  spec.max_answer = options.quotas.sync_response;
  spec.freeze_after = to_nanos(options.freeze_after);
  spec.host_loopback = options.allow_host_loopback;

  std::string library_path = fmt::format("{0}:{0}/lib", spec.task_root);
  for (const std::string& layer : spec.layers) library_path += ":" + layer + "/lib";
  std::map<std::string, std::string> variables = {
      {"LANG", "en_US.UTF-8"},
      {"TZ", ":UTC"},
      {"PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"},
      {"LD_LIBRARY_PATH", library_path},
      {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
  };
  if (configuration.environment) {
    for (const auto& [name, value] : *configuration.environment) variables[name] = value;
  }
  // Source: the variables Lambda itself sets, recorded in docs/fidelity.md. These cannot be changed by a function.
  variables["AWS_LAMBDA_FUNCTION_NAME"] = version.function_name;
  variables["AWS_LAMBDA_FUNCTION_VERSION"] = version.version;
  variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = std::to_string(configuration.memory_mb);
  variables["AWS_LAMBDA_LOG_GROUP_NAME"] = spec.log_group;
  variables["AWS_LAMBDA_LOG_STREAM_NAME"] = spec.log_stream;
  variables["AWS_LAMBDA_INITIALIZATION_TYPE"] = "on-demand";
  variables["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + configuration.runtime;
  variables["AWS_REGION"] = options.region;
  variables["AWS_DEFAULT_REGION"] = options.region;
  variables["_HANDLER"] = configuration.handler;
  variables["LAMBDA_TASK_ROOT"] = spec.task_root;
  spec.variables.assign(variables.begin(), variables.end());
  return spec;
}

}  // namespace lambed::environments
