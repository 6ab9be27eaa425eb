#include "model/configuration.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "model/characters.h"
#include "model/destinations.h"
#include "model/runtimes.h"
#include "model/violations.h"

namespace lambed::model {

namespace {

constexpr std::string_view kVariablePattern = "[a-zA-Z]([a-zA-Z0-9_])+";
constexpr std::string_view kRolePattern = R"(arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+)";

// What the largest quota set of AWS allows is the API model's bound; a smaller quota of the account is
// business.
constexpr int kModelMemoryMaxMb = 10'240;
constexpr int kModelStorageMaxMb = 10'240;

constexpr std::string_view kReservedVariables[] = {"_HANDLER",
                                                   "_X_AMZN_TRACE_ID",
                                                   "AWS_ACCESS_KEY",
                                                   "AWS_ACCESS_KEY_ID",
                                                   "AWS_DEFAULT_REGION",
                                                   "AWS_EXECUTION_ENV",
                                                   "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                                                   "AWS_LAMBDA_FUNCTION_NAME",
                                                   "AWS_LAMBDA_FUNCTION_VERSION",
                                                   "AWS_LAMBDA_INITIALIZATION_TYPE",
                                                   "AWS_LAMBDA_LOG_GROUP_NAME",
                                                   "AWS_LAMBDA_LOG_STREAM_NAME",
                                                   "AWS_LAMBDA_RUNTIME_API",
                                                   "AWS_REGION",
                                                   "AWS_SECRET_ACCESS_KEY",
                                                   "AWS_SESSION_TOKEN",
                                                   "LAMBDA_RUNTIME_DIR",
                                                   "LAMBDA_TASK_ROOT"};

bool is_role(std::string_view role) {
  constexpr std::string_view start = "arn:aws";
  if (!role.starts_with(start)) return false;
  auto at = start.size();
  while (at < role.size() && (is_letter(role[at]) || role[at] == '-')) ++at;
  if (!role.substr(at).starts_with(":iam::")) return false;
  std::string_view rest = role.substr(at + 6);
  if (rest.size() < 12 || !std::all_of(rest.begin(), rest.begin() + 12, is_digit)) return false;
  rest.remove_prefix(12);
  if (!rest.starts_with(":role")) return false;
  rest.remove_prefix(5);
  if (rest.starts_with("/")) rest.remove_prefix(1);
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view("_+=,.@-/").find(c) != std::string_view::npos;
  });
}

bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// ---- The model layer

void check_members(const FunctionConfiguration& wanted, const Quotas& quotas, Violations& violations) {
  if (wanted.handler.empty()) {
    violations.add_missing("handler");
  } else {
    violations.check_length(wanted.handler, "handler", 0, 128);
    if (std::any_of(wanted.handler.begin(), wanted.handler.end(), is_white)) {
      violations.add(wanted.handler, "handler", must_match(R"([^\s]+)"));
    }
  }
  violations.check_length(wanted.description, "description", 0, 256);
  if (!wanted.role.empty() && !is_role(wanted.role))
    violations.add(wanted.role, "role", must_match(kRolePattern));
  violations.check_range(wanted.timeout_s, "timeout", quotas.timeout_min_s, quotas.timeout_max_s);
  violations.check_range(wanted.memory_mb, "memorySize", quotas.memory_min_mb,
                         std::max(quotas.memory_max_mb, kModelMemoryMaxMb));
  violations.check_range(wanted.ephemeral_storage_mb, "ephemeralStorage.size", quotas.tmp_min_mb,
                         std::max(quotas.tmp_max_mb, kModelStorageMaxMb));
  check_dead_letter_pattern(wanted.dead_letter_target_arn, violations);
  if (wanted.environment) {
    const auto& variables = *wanted.environment;
    if (!std::all_of(variables.begin(), variables.end(),
                     [](const auto& v) { return is_variable_name(v.first); })) {
      violations.add_hidden("environment.variables", fmt::format("Map keys must satisfy constraint: [{}]",
                                                                 must_match(kVariablePattern)));
    }
  }
}

void check_tags(const std::map<std::string, std::string>& tags, Violations& violations) {
  const auto printed = [&] {
    std::vector<std::string> entries;
    for (const auto& [key, value] : tags) entries.push_back(key + "=" + value);
    return fmt::format("{{{}}}", fmt::join(entries, ", "));
  };
  if (std::any_of(tags.begin(), tags.end(),
                  [](const auto& t) { return t.first.empty() || t.first.size() > 128; })) {
    violations.add(printed(), "tags",
                   "Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
                   "Member must have "
                   "length greater than or equal to 1]");
  }
  if (std::any_of(tags.begin(), tags.end(), [](const auto& t) { return t.second.size() > 256; })) {
    violations.add(printed(), "tags",
                   "Map value must satisfy constraint: [Member must have length less than or equal to 256]");
  }
}

// ---- The business layer

Result<void> check_against_account(const FunctionConfiguration& wanted, const Quotas& quotas,
                                   const OtherLanguages& others) {
  // Whoever talks JSON cannot send other bytes than UTF-8; a C++ caller can, and the answer must still become
  // JSON.
  for (const std::string* text : {&wanted.handler, &wanted.description, &wanted.runtime}) {
    if (!is_utf8(*text)) return invalid_parameter("Handler, description and runtime must be text in UTF-8.");
  }
  if (auto runtime = check_runtime(wanted.runtime, others); !runtime.ok()) return runtime.error();
  if (wanted.memory_mb > quotas.memory_max_mb) {
    return invalid_parameter("'MemorySize' value failed to satisfy constraint: " +
                             must_be_at_most(quotas.memory_max_mb));
  }
  if ((wanted.memory_mb - quotas.memory_min_mb) % quotas.memory_step_mb != 0) {
    return invalid_parameter(fmt::format(
        "'MemorySize' value failed to satisfy constraint: Member must be a multiple of {} (quota set '{}')",
        quotas.memory_step_mb, quotas.name));
  }
  if (wanted.ephemeral_storage_mb > quotas.tmp_max_mb) {
    return invalid_parameter("'EphemeralStorage' value failed to satisfy constraint: " +
                             must_be_at_most(quotas.tmp_max_mb));
  }
  if (wanted.layers.size() > static_cast<std::size_t>(quotas.layers_per_function)) {
    return invalid_parameter(
        fmt::format("Cannot reference more than {} layers.", quotas.layers_per_function));
  }
  if (wanted.environment) {
    if (auto checked = check_environment(*wanted.environment, quotas); !checked.ok()) return checked;
  }
  return check_dead_letter_target(wanted.dead_letter_target_arn);
}

// Members that AWS's model bounds.
constexpr std::size_t kMostSubnets = 16;
constexpr std::size_t kMostGroups = 5;

void check_vpc_members(const VpcConfig& wanted, Violations& violations) {
  for (const auto& [ids, member, most] :
       {std::tuple{&wanted.subnet_ids, "vpcConfig.subnetIds", kMostSubnets},
        std::tuple{&wanted.security_group_ids, "vpcConfig.securityGroupIds", kMostGroups}}) {
    if (ids->size() > most)
      violations.add(fmt::format("[{}]", fmt::join(*ids, ", ")), member,
                     fmt::format("Member must have length less than or equal to {}", most));
  }
}

Result<std::optional<VpcConfig>> check_vpc(const VpcConfig& wanted, Isolation isolation,
                                           const Networks& networks) {
  auto checked = networks.check(wanted);
  if (!checked.ok()) return checked.error();
  if (!checked->subnet_ids.empty() && isolation != Isolation::kProcess) {
    return invalid_parameter(
        "VpcConfig needs the isolation 'process': a function that runs inside this process has this "
        "process's "
        "network. `lambed serve --isolation process` gives it.");
  }
  return std::optional<VpcConfig>(std::move(*checked));
}

// JSON logs have levels, INFO unless said otherwise; text logs have none.
void settle_log_levels(FunctionConfiguration& wanted) {
  const bool json = wanted.log_format == LogFormat::kJson;
  for (std::string* level : {&wanted.application_log_level, &wanted.system_log_level}) {
    if (!json) {
      level->clear();
    } else if (level->empty()) {
      *level = "INFO";
    }
  }
}

}  // namespace

Result<void> check_tag_rules(const std::map<std::string, std::string>& tags) {
  if (tags.size() > kMaxTags) return invalid_parameter("Number of tags exceeds resource tag limit.");
  for (const auto& [key, value] : tags) {
    if (!is_utf8(key) || !is_utf8(value)) return invalid_parameter("Tags must be text in UTF-8.");
    if (key.starts_with("aws:"))
      return invalid_parameter("Tag keys that start with 'aws:' are reserved: " + key);
  }
  return {};
}

Result<void> check_tags(const std::map<std::string, std::string>& tags) {
  Violations violations;
  check_tags(tags, violations);
  if (auto error = violations.error()) return *error;
  return check_tag_rules(tags);
}

std::string compact_json(const std::map<std::string, std::string>& variables) {
  // Values that are not UTF-8 are refused before; the handler below keeps this function total.
  return nlohmann::json(variables).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_variable_name(std::string_view name) {
  return name.size() >= 2 && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '_';
         });
}

Result<void> check_environment(const std::map<std::string, std::string>& variables, const Quotas& quotas) {
  std::vector<std::string_view> reserved;
  for (const auto& [name, value] : variables) {
    if (std::find(std::begin(kReservedVariables), std::end(kReservedVariables), name) !=
        std::end(kReservedVariables)) {
      reserved.push_back(name);
    }
  }
  if (!reserved.empty()) {
    return invalid_parameter(
        fmt::format("Lambda was unable to configure your environment variables because the environment "
                    "variables you have "
                    "provided contains reserved keys that are currently not supported for modification. "
                    "Reserved keys used "
                    "in this request: {}",
                    fmt::join(reserved, ", ")));
  }
  for (const auto& [name, value] : variables) {
    // A NUL would cut the value short in every handler; JSON bodies cannot carry other bytes than UTF-8 in
    // the first place.
    if (!is_utf8(value) || value.find('\0') != std::string::npos) {
      return invalid_parameter(
          fmt::format("Lambda was unable to configure your environment variables because the value of {} is "
                      "not text in UTF-8.",
                      name));
    }
  }
  if (std::string json = compact_json(variables); json.size() > quotas.environment_variables) {
    return invalid_parameter(
        "Lambda was unable to configure your environment variables because the environment variables you "
        "have provided "
        "exceeded the 4KB limit. String measured: " +
        json);
  }
  return {};
}

Result<FunctionConfiguration> configure(const CreateFunctionRequest& request, const Quotas& quotas,
                                        const OtherLanguages& others, const Networks& networks) {
  FunctionConfiguration wanted;
  wanted.function_name = request.name;
  wanted.version = "$LATEST";
  wanted.runtime = request.runtime;
  wanted.handler = request.handler;
  wanted.description = request.description;
  wanted.role = request.role;
  wanted.timeout_s = request.timeout_s.value_or(quotas.timeout_default_s);
  wanted.memory_mb = request.memory_mb.value_or(kDefaultMemoryMb);
  wanted.ephemeral_storage_mb = request.ephemeral_storage_mb.value_or(kDefaultEphemeralStorageMb);
  wanted.environment = request.environment;
  wanted.layers = request.layers;
  wanted.log_format = request.log_format;
  wanted.isolation = request.isolation;
  wanted.log_group = request.log_group;
  wanted.application_log_level = request.application_log_level;
  wanted.system_log_level = request.system_log_level;
  wanted.recorded = request.recorded;
  wanted.dead_letter_target_arn = request.dead_letter_target_arn;
  settle_log_levels(wanted);

  Violations violations;
  if (wanted.runtime.empty()) violations.add_missing("runtime");
  check_members(wanted, quotas, violations);
  if (request.vpc_config) check_vpc_members(*request.vpc_config, violations);
  check_tags(request.tags, violations);
  if (auto error = violations.error()) return *error;
  if (auto account = check_against_account(wanted, quotas, others); !account.ok()) return account.error();
  if (auto tags = check_tag_rules(request.tags); !tags.ok()) return tags.error();
  if (request.vpc_config) {
    auto vpc = check_vpc(*request.vpc_config, wanted.isolation, networks);
    if (!vpc.ok()) return vpc.error();
    wanted.vpc_config = std::move(*vpc);
  }
  return wanted;
}

Result<FunctionConfiguration> reconfigure(const FunctionConfiguration& present,
                                          const UpdateConfigurationRequest& request, const Quotas& quotas,
                                          const OtherLanguages& others, const Networks& networks) {
  FunctionConfiguration wanted = present;
  if (request.runtime) wanted.runtime = *request.runtime;
  if (request.handler) wanted.handler = *request.handler;
  if (request.description) wanted.description = *request.description;
  if (request.role) wanted.role = *request.role;
  if (request.timeout_s) wanted.timeout_s = *request.timeout_s;
  if (request.memory_mb) wanted.memory_mb = *request.memory_mb;
  if (request.ephemeral_storage_mb) wanted.ephemeral_storage_mb = *request.ephemeral_storage_mb;
  if (request.environment) wanted.environment = request.environment;
  if (request.layers) wanted.layers = *request.layers;
  if (request.log_format) wanted.log_format = *request.log_format;
  if (request.log_group) wanted.log_group = *request.log_group;
  if (request.application_log_level) wanted.application_log_level = *request.application_log_level;
  if (request.system_log_level) wanted.system_log_level = *request.system_log_level;
  if (request.recorded) wanted.recorded = *request.recorded;
  if (request.dead_letter_target_arn) wanted.dead_letter_target_arn = *request.dead_letter_target_arn;
  settle_log_levels(wanted);

  Violations violations;
  check_members(wanted, quotas, violations);
  if (request.vpc_config) check_vpc_members(*request.vpc_config, violations);
  if (auto error = violations.error()) return *error;
  if (auto account = check_against_account(wanted, quotas, others); !account.ok()) return account.error();
  if (request.vpc_config) {
    auto vpc = check_vpc(*request.vpc_config, wanted.isolation, networks);
    if (!vpc.ok()) return vpc.error();
    wanted.vpc_config = std::move(*vpc);
  }
  return wanted;
}

}  // namespace lambed::model
