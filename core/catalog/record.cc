#include "catalog/record.h"

#include <cassert>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/digest.h"

namespace lambed::catalog {

using nlohmann::json;

namespace {

template <class T>
void put(json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

template <class T>
void get(const json& object, const char* name, std::optional<T>& value) {
  if (const auto it = object.find(name); it != object.end()) value = it->get<T>();
}

json to_json(const FunctionConfiguration& c) {
  json object = {{"name", c.function_name},
                 {"arn", c.function_arn},
                 {"version", c.version},
                 {"runtime", c.runtime},
                 {"handler", c.handler},
                 {"description", c.description},
                 {"role", c.role},
                 {"timeout", c.timeout_s},
                 {"memory", c.memory_mb},
                 {"storage", c.ephemeral_storage_mb},
                 {"layers", c.layers},
                 {"json_logs", c.log_format == LogFormat::kJson},
                 {"log_group", c.log_group},
                 {"isolated", c.isolation == Isolation::kProcess},
                 {"code_sha256", c.code_sha256},
                 {"code_size", c.code_size},
                 {"revision", c.revision_id},
                 {"modified", c.last_modified},
                 {"state", c.state},
                 {"update", c.last_update_status}};
  put(object, "environment", c.environment);
  if (c.log_format == LogFormat::kJson) {
    object["application_log_level"] = c.application_log_level;
    object["system_log_level"] = c.system_log_level;
  }
  const RecordedSettings usual;
  const RecordedSettings& r = c.recorded;
  for (const auto& [name, value, ordinary] : {std::tuple<const char*, const std::string&, const std::string&>{
                                                  "architecture", r.architecture, usual.architecture},
                                              {"tracing", r.tracing_mode, usual.tracing_mode},
                                              {"snap_start", r.snap_start, usual.snap_start},
                                              {"kms_key", r.kms_key_arn, usual.kms_key_arn}}) {
    if (value != ordinary) object[name] = value;
  }
  if (!c.dead_letter_target_arn.empty()) object["dead_letters"] = c.dead_letter_target_arn;
  if (c.vpc_config) {
    const VpcConfig& vpc = *c.vpc_config;
    object["vpc"] = {{"id", vpc.vpc_id},
                     {"subnets", vpc.subnet_ids},
                     {"groups", vpc.security_group_ids},
                     {"dual_stack", vpc.ipv6_allowed_for_dual_stack}};
  }
  return object;
}

FunctionConfiguration configuration_from(const json& object) {
  FunctionConfiguration c;
  object.at("name").get_to(c.function_name);
  object.at("arn").get_to(c.function_arn);
  object.at("version").get_to(c.version);
  object.at("runtime").get_to(c.runtime);
  object.at("handler").get_to(c.handler);
  object.at("description").get_to(c.description);
  object.at("role").get_to(c.role);
  object.at("timeout").get_to(c.timeout_s);
  object.at("memory").get_to(c.memory_mb);
  object.at("storage").get_to(c.ephemeral_storage_mb);
  object.at("layers").get_to(c.layers);
  c.log_format = object.at("json_logs").get<bool>() ? LogFormat::kJson : LogFormat::kText;
  object.at("log_group").get_to(c.log_group);
  c.isolation = object.at("isolated").get<bool>() ? Isolation::kProcess : Isolation::kInProcess;
  object.at("code_sha256").get_to(c.code_sha256);
  object.at("code_size").get_to(c.code_size);
  object.at("revision").get_to(c.revision_id);
  object.at("modified").get_to(c.last_modified);
  object.at("state").get_to(c.state);
  object.at("update").get_to(c.last_update_status);
  get(object, "environment", c.environment);
  for (const auto& [name, member] :
       {std::pair<const char*, std::string*>{"application_log_level", &c.application_log_level},
        {"system_log_level", &c.system_log_level},
        {"architecture", &c.recorded.architecture},
        {"tracing", &c.recorded.tracing_mode},
        {"snap_start", &c.recorded.snap_start},
        {"kms_key", &c.recorded.kms_key_arn},
        {"dead_letters", &c.dead_letter_target_arn}}) {
    if (const auto it = object.find(name); it != object.end()) it->get_to(*member);
  }
  if (const auto it = object.find("vpc"); it != object.end()) {
    VpcConfig& vpc = c.vpc_config.emplace();
    it->at("id").get_to(vpc.vpc_id);
    it->at("subnets").get_to(vpc.subnet_ids);
    it->at("groups").get_to(vpc.security_group_ids);
    it->at("dual_stack").get_to(vpc.ipv6_allowed_for_dual_stack);
  }
  return c;
}

json to_json(const CodeReference& code) {
  return {
      {"form", static_cast<int>(code.form)}, {"path", code.path}, {"blob", code.blob}, {"size", code.size}};
}

CodeReference code_from(const json& object) {
  return {static_cast<CodeReference::Form>(object.at("form").get<int>()),
          object.at("path").get<std::string>(), object.at("blob").get<std::string>(),
          object.at("size").get<std::uint64_t>()};
}

json to_json(const VersionRecord& record) {
  return {{"configuration", to_json(record.configuration)},
          {"code", to_json(record.code)},
          {"generation", record.generation}};
}

VersionRecord version_from(const json& object) {
  return {configuration_from(object.at("configuration")), code_from(object.at("code")),
          object.at("generation").get<std::uint64_t>()};
}

json to_json(const AliasRecord& alias) {
  return {{"version", alias.version},
          {"description", alias.description},
          {"revision", alias.revision_id},
          {"weights", alias.weights}};
}

AliasRecord alias_from(const json& object) {
  return {object.at("version").get<std::string>(), object.at("description").get<std::string>(),
          object.at("revision").get<std::string>(),
          object.at("weights").get<std::map<std::string, double>>()};
}

json to_json(const EventInvokeSettings& settings) {
  json object = {{"modified", settings.last_modified_ms}};
  put(object, "retries", settings.maximum_retry_attempts);
  put(object, "age", settings.maximum_event_age_s);
  if (!settings.on_success.empty()) object["success"] = settings.on_success;
  if (!settings.on_failure.empty()) object["failure"] = settings.on_failure;
  return object;
}

EventInvokeSettings event_invoke_from(const json& object) {
  EventInvokeSettings settings;
  object.at("modified").get_to(settings.last_modified_ms);
  get(object, "retries", settings.maximum_retry_attempts);
  get(object, "age", settings.maximum_event_age_s);
  settings.on_success = object.value("success", "");
  settings.on_failure = object.value("failure", "");
  return settings;
}

FunctionRecord function_from(const json& object) {
  FunctionRecord record;
  object.at("id").get_to(record.id);
  object.at("commit").get_to(record.commit);
  record.latest = version_from(object.at("latest"));
  object.at("last_version").get_to(record.last_version);
  object.at("versions").get_to(record.versions);
  object.at("fingerprint").get_to(record.published_fingerprint);
  for (const auto& [name, alias] : object.at("aliases").items())
    record.aliases.emplace(name, alias_from(alias));
  object.at("provisioned").get_to(record.provisioned);
  object.at("tags").get_to(record.tags);
  get(object, "reserved", record.reserved);
  if (const auto it = object.find("provisioned_at"); it != object.end()) it->get_to(record.provisioned_at);
  if (const auto it = object.find("event_invoke"); it != object.end()) {
    for (const auto& [qualifier, settings] : it->items())
      record.event_invoke.emplace(qualifier, event_invoke_from(settings));
  }
  return record;
}

template <class Read>
auto read(const std::string& bytes, Read from) -> Result<decltype(from(json()))> {
  try {
    return from(json::parse(bytes));
  } catch (const json::exception& error) {
    return Error(ErrorCode::ServiceException,
                 std::string("The catalogue's store holds a damaged entity: ") + error.what());
  }
}

}  // namespace

State state_of(const FunctionConfiguration& configuration) {
  return configuration.state == "Pending" ? State::kPending : State::kActive;
}

UpdateStatus update_status_of(const FunctionConfiguration& configuration) {
  if (configuration.last_update_status.empty()) return UpdateStatus::kNone;
  return configuration.last_update_status == "InProgress" ? UpdateStatus::kInProgress
                                                          : UpdateStatus::kSuccessful;
}

void begin_life(FunctionConfiguration& configuration) {
  configuration.state = "Pending";
  configuration.last_update_status.clear();
}

void begin_update(FunctionConfiguration& configuration) {
  assert(state_of(configuration) == State::kActive);
  assert(update_status_of(configuration) == UpdateStatus::kSuccessful);
  configuration.last_update_status = "InProgress";
}

void end_change(FunctionConfiguration& configuration) {
  configuration.state = "Active";
  configuration.last_update_status = "Successful";
}

std::string function_key(std::string_view name) { return std::string(kFunctionPrefix).append(name); }

std::string version_key(std::string_view function_id, std::string_view body) {
  return std::string(kVersionPrefix).append(function_id).append("/").append(body);
}

std::string to_bytes(const FunctionRecord& record) {
  json object = {{"id", record.id},
                 {"commit", record.commit},
                 {"latest", to_json(record.latest)},
                 {"last_version", record.last_version},
                 {"versions", record.versions},
                 {"fingerprint", record.published_fingerprint},
                 {"aliases", json::object()},
                 {"provisioned", record.provisioned},
                 {"tags", record.tags}};
  for (const auto& [name, alias] : record.aliases) object["aliases"][name] = to_json(alias);
  put(object, "reserved", record.reserved);
  if (!record.provisioned_at.empty()) object["provisioned_at"] = record.provisioned_at;
  for (const auto& [qualifier, settings] : record.event_invoke)
    object["event_invoke"][qualifier] = to_json(settings);
  return object.dump();
}

std::string to_bytes(const VersionRecord& record) { return to_json(record).dump(); }

Result<FunctionRecord> function_from_bytes(const std::string& bytes) { return read(bytes, function_from); }
Result<VersionRecord> version_from_bytes(const std::string& bytes) { return read(bytes, version_from); }

std::string fingerprint(const VersionRecord& record) {
  FunctionConfiguration configuration = record.configuration;
  configuration.revision_id.clear();
  configuration.last_modified.clear();
  configuration.code_sha256.clear();
  configuration.code_size = 0;
  end_change(configuration);
  return to_hex(sha256(to_json(configuration).dump() + to_json(record.code).dump()));
}

}  // namespace lambed::catalog
