#include "api/documents.h"

#include "base/digest.h"

namespace lambed::api {

using nlohmann::json;

namespace {

void put_state(json& out, const FunctionConfiguration& c) {
  out["State"] = c.state;
  if (c.state == "Pending") {
    out["StateReason"] = "The function is being created.";
    out["StateReasonCode"] = "Creating";
  }
  if (c.last_update_status.empty()) return;
  out["LastUpdateStatus"] = c.last_update_status;
  if (c.last_update_status == "InProgress") {
    // So AWS words it for an update, too.
    out["LastUpdateStatusReason"] = "The function is being created.";
    out["LastUpdateStatusReasonCode"] = "Creating";
  }
}

}  // namespace

json describe(const FunctionConfiguration& c, Detail detail, const std::string& region) {
  json out = {
      {"FunctionName", c.function_name},
      {"FunctionArn", c.function_arn},
      {"Runtime", c.runtime},
      {"Role", c.role},
      {"Handler", c.handler},
      {"CodeSize", c.code_size},
      {"Description", c.description},
      {"Timeout", c.timeout_s},
      {"MemorySize", c.memory_mb},
      {"LastModified", c.last_modified},
      {"CodeSha256", c.code_sha256},
      {"Version", c.version},
      {"TracingConfig", {{"Mode", c.recorded.tracing_mode}}},
      {"RevisionId", c.revision_id},
      {"PackageType", "Zip"},
      {"Architectures", {c.recorded.architecture}},
      {"EphemeralStorage", {{"Size", c.ephemeral_storage_mb}}},
      {"SnapStart", {{"ApplyOn", c.recorded.snap_start}, {"OptimizationStatus", "Off"}}},
      {"LoggingConfig",
       {{"LogFormat", c.log_format == LogFormat::kJson ? "JSON" : "Text"}, {"LogGroup", c.log_group}}}};
  if (!c.application_log_level.empty()) out["LoggingConfig"]["ApplicationLogLevel"] = c.application_log_level;
  if (!c.system_log_level.empty()) out["LoggingConfig"]["SystemLogLevel"] = c.system_log_level;
  if (c.environment) out["Environment"] = {{"Variables", *c.environment}};
  if (!c.recorded.kms_key_arn.empty()) out["KMSKeyArn"] = c.recorded.kms_key_arn;
  if (!c.dead_letter_target_arn.empty()) {
    out["DeadLetterConfig"] = {{"TargetArn", c.dead_letter_target_arn}};
  }
  if (c.vpc_config) {
    const VpcConfig& vpc = *c.vpc_config;
    out["VpcConfig"] = {{"SubnetIds", vpc.subnet_ids},
                        {"SecurityGroupIds", vpc.security_group_ids},
                        {"VpcId", vpc.vpc_id},
                        {"Ipv6AllowedForDualStack", vpc.ipv6_allowed_for_dual_stack}};
  }
  if (detail == Detail::kList) return out;
  put_state(out, c);
  // AWS's digest is of the runtime's image; ours stands for the runtime's name, so that it changes when the runtime does.
  out["RuntimeVersionConfig"] = {
      {"RuntimeVersionArn", "arn:aws:lambda:" + region + "::runtime:" + to_hex(sha256(c.runtime))}};
  return out;
}

json describe(const AliasConfiguration& alias) {
  json out = {{"AliasArn", alias.alias_arn},
              {"Name", alias.name},
              {"FunctionVersion", alias.function_version},
              {"Description", alias.description},
              {"RevisionId", alias.revision_id}};
  if (!alias.weights.empty()) out["RoutingConfig"] = {{"AdditionalVersionWeights", alias.weights}};
  return out;
}

}  // namespace lambed::api
