#include "convert.h"

#include <chrono>
#include <cmath>
#include <limits>

namespace lambed::node_binding {
namespace {

constexpr const char* kLogKinds[] = {"stdout", "stderr", "log",    "initStart",
                                     "start",  "end",    "report", "notice"};

[[noreturn]] void refuse(Napi::Env env, const std::string& name, const std::string& wanted) {
  throw Napi::TypeError::New(env, name + " must be " + wanted);
}

Napi::Object map_to_js(Napi::Env env, const std::map<std::string, std::string>& map) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [key, value] : map) object.Set(key, Napi::String::New(env, value));
  return object;
}

std::optional<LogFormat> log_format(const Members& members, Napi::Env env) {
  const auto word = members.text("logFormat");
  if (!word) return {};
  if (*word == "Text") return LogFormat::kText;
  if (*word == "JSON") return LogFormat::kJson;
  refuse(env, "logFormat", "'Text' or 'JSON'");
}

Isolation isolation(const Members& members, Napi::Env env) {
  const auto word = members.text("isolation");
  if (!word || *word == "in_process") return Isolation::kInProcess;
  if (*word == "process") return Isolation::kProcess;
  refuse(env, "isolation", "'in_process' or 'process'");
}

// { subnetIds, securityGroupIds, ipv6AllowedForDualStack }; what is left out is empty.
std::optional<VpcConfig> vpc_config(const Members& members) {
  const auto object = members.object("vpcConfig");
  if (!object) return {};
  const Members of_vpc(*object);
  return VpcConfig{of_vpc.texts("subnetIds").value_or(std::vector<std::string>{}),
                   of_vpc.texts("securityGroupIds").value_or(std::vector<std::string>{}),
                   of_vpc.flag("ipv6AllowedForDualStack")};
}

Napi::Array texts_to_js(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array list = Napi::Array::New(env, texts.size());
  for (std::uint32_t at = 0; at < texts.size(); ++at) list.Set(at, Napi::String::New(env, texts[at]));
  return list;
}

// { directory } | { zip } | { inline }
Code code_of(const Members& members, Napi::Env env) {
  const auto object = members.object("code");
  if (!object) return {};
  const Members code(*object);
  if (auto directory = code.text("directory")) return Code::directory(std::move(*directory));
  if (auto source = code.text("inline")) return Code::inline_source(std::move(*source));
  const Napi::Value zip = object->Get("zip");
  if (!zip.IsTypedArray() && !zip.IsArrayBuffer())
    refuse(env, "code", "the path of a folder, { zip: Uint8Array } or { inline: string }");
  return Code::zip(payload_of(zip));
}

}  // namespace

Napi::String text_to_js(Napi::Env env, std::string_view text) {
  return Napi::String::New(env, text.data(), text.size());
}

Napi::Value to_js(Napi::Env env, const FunctionConfiguration& c) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("functionName", c.function_name);
  object.Set("functionArn", c.function_arn);
  object.Set("version", c.version);
  object.Set("runtime", c.runtime);
  object.Set("handler", c.handler);
  object.Set("description", c.description);
  object.Set("role", c.role);
  object.Set("timeout", c.timeout_s);
  object.Set("memorySize", c.memory_mb);
  object.Set("ephemeralStorage", c.ephemeral_storage_mb);
  if (c.environment) object.Set("environment", map_to_js(env, *c.environment));
  object.Set("layers", texts_to_js(env, c.layers));
  object.Set("logFormat", c.log_format == LogFormat::kJson ? "JSON" : "Text");
  object.Set("logGroup", c.log_group);
  object.Set("deadLetterTarget", c.dead_letter_target_arn);
  if (c.vpc_config) {
    Napi::Object vpc = Napi::Object::New(env);
    vpc.Set("subnetIds", texts_to_js(env, c.vpc_config->subnet_ids));
    vpc.Set("securityGroupIds", texts_to_js(env, c.vpc_config->security_group_ids));
    vpc.Set("ipv6AllowedForDualStack", Napi::Boolean::New(env, c.vpc_config->ipv6_allowed_for_dual_stack));
    vpc.Set("vpcId", c.vpc_config->vpc_id);
    object.Set("vpcConfig", vpc);
  }
  object.Set("isolation", c.isolation == Isolation::kProcess ? "process" : "in_process");
  object.Set("codeSha256", c.code_sha256);
  object.Set("codeSize", Napi::Number::New(env, static_cast<double>(c.code_size)));
  object.Set("revisionId", c.revision_id);
  object.Set("lastModified", c.last_modified);
  object.Set("state", c.state);
  object.Set("lastUpdateStatus", c.last_update_status);
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<FunctionConfiguration>& configurations) {
  return list_to_js(env, configurations);
}

Napi::Value to_js(Napi::Env env, const AliasConfiguration& alias) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("aliasArn", alias.alias_arn);
  object.Set("name", alias.name);
  object.Set("functionVersion", alias.function_version);
  object.Set("description", alias.description);
  object.Set("revisionId", alias.revision_id);
  Napi::Object weights = Napi::Object::New(env);
  for (const auto& [version, weight] : alias.weights) weights.Set(version, Napi::Number::New(env, weight));
  object.Set("weights", weights);
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<AliasConfiguration>& aliases) {
  return list_to_js(env, aliases);
}

Napi::Value to_js(Napi::Env env, const FunctionUsage& usage) {
  Napi::Object object = Napi::Object::New(env);
  const auto number = [&](const char* name, std::uint64_t value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  number("requests", usage.requests);
  number("errors", usage.errors);
  number("timeouts", usage.timeouts);
  number("throttles", usage.throttles);
  number("coldStarts", usage.cold_starts);
  object.Set("gbSeconds", Napi::Number::New(env, usage.gb_seconds()));
  return object;
}

Napi::Value to_js(Napi::Env env, const GatewayStatus& status) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("opening", status.opening);
  object.Set("idle", status.idle);
  object.Set("busy", status.busy);
  object.Set("interrupting", status.interrupting);
  object.Set("abandoned", status.abandoned);
  object.Set("inFlight", status.in_flight);
  object.Set("lateCompletions", Napi::Number::New(env, static_cast<double>(status.late_completions)));
  return object;
}

Napi::Value to_js(Napi::Env env, const HostReport& host) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("language", host.language);
  object.Set("pluginPath", host.plugin_path);
  object.Set("interpreterVersion", host.interpreter_version);
  object.Set("interpreterPath", host.interpreter_path);
  object.Set("available", Napi::Boolean::New(env, host.available));
  object.Set("problem", host.problem);
  return object;
}

Napi::Value to_js(Napi::Env env, const std::vector<HostReport>& hosts) { return list_to_js(env, hosts); }

Napi::Value to_js(Napi::Env env, const std::optional<int>& number) {
  if (!number) return env.Undefined();
  return Napi::Number::New(env, *number);
}

Napi::Object to_js(Napi::Env env, const StoredLogRecord& record) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", kLogKinds[static_cast<std::size_t>(record.kind)]);
  object.Set("functionName", record.function_name);
  object.Set("logGroup", record.log_group);
  object.Set("logStream", record.log_stream);
  object.Set("requestId", record.request_id);
  const auto since = record.time.time_since_epoch();
  object.Set("time", Napi::Date::New(env, std::chrono::duration<double, std::milli>(since).count()));
  object.Set("text", record.text);
  return object;
}

Members::Members(const Napi::Value& value) {
  if (!value.IsObject()) refuse(value.Env(), "the argument", "an object");
  object_ = value.As<Napi::Object>();
}

std::optional<Napi::Value> Members::member(const char* name) const {
  Napi::Value value = object_.Get(name);
  if (value.IsUndefined() || value.IsNull()) return {};
  return value;
}

std::optional<std::string> Members::text(const char* name) const {
  const auto value = member(name);
  if (!value) return {};
  if (!value->IsString()) refuse(env(), name, "a string");
  return value->As<Napi::String>().Utf8Value();
}

std::string Members::required_text(const char* name) const {
  auto value = text(name);
  if (!value) refuse(env(), name, "a string");
  return std::move(*value);
}

std::optional<int> Members::integer(const char* name) const {
  const auto value = member(name);
  if (!value) return {};
  const double number =
      value->IsNumber() ? value->As<Napi::Number>().DoubleValue() : std::numeric_limits<double>::quiet_NaN();
  if (number != std::trunc(number) || std::abs(number) > std::numeric_limits<int>::max())
    refuse(env(), name, "an integer");
  return static_cast<int>(number);
}

std::optional<std::chrono::milliseconds> Members::milliseconds(const char* name) const {
  const auto value = integer(name);
  if (!value) return {};
  if (*value < 0) refuse(env(), name, "a number of milliseconds");
  return std::chrono::milliseconds(*value);
}

bool Members::flag(const char* name) const {
  const auto value = member(name);
  if (!value) return false;
  if (!value->IsBoolean()) refuse(env(), name, "true or false");
  return value->As<Napi::Boolean>().Value();
}

std::optional<std::vector<std::string>> Members::texts(const char* name) const {
  const auto value = member(name);
  if (!value) return {};
  if (!value->IsArray()) refuse(env(), name, "an array of strings");
  const auto list = value->As<Napi::Array>();
  std::vector<std::string> texts;
  for (std::uint32_t at = 0; at < list.Length(); ++at) {
    const Napi::Value item = list.Get(at);
    if (!item.IsString()) refuse(env(), name, "an array of strings");
    texts.push_back(item.As<Napi::String>().Utf8Value());
  }
  return texts;
}

std::optional<std::map<std::string, std::string>> Members::text_map(const char* name) const {
  const auto value = object(name);
  if (!value) return {};
  std::map<std::string, std::string> map;
  for (const auto& [key, item] : *value) {
    const Napi::Value read = item;
    if (!read.IsString()) refuse(env(), name, "an object whose values are strings");
    map[key.As<Napi::String>().Utf8Value()] = read.As<Napi::String>().Utf8Value();
  }
  return map;
}

std::optional<std::map<std::string, double>> Members::number_map(const char* name) const {
  const auto value = object(name);
  if (!value) return {};
  std::map<std::string, double> map;
  for (const auto& [key, item] : *value) {
    const Napi::Value read = item;
    if (!read.IsNumber()) refuse(env(), name, "an object whose values are numbers");
    map[key.As<Napi::String>().Utf8Value()] = read.As<Napi::Number>().DoubleValue();
  }
  return map;
}

std::optional<Napi::Object> Members::object(const char* name) const {
  const auto value = member(name);
  if (!value) return {};
  if (!value->IsObject() || value->IsArray() || value->IsFunction()) refuse(env(), name, "an object");
  return value->As<Napi::Object>();
}

CreateFunctionRequest create_function_request(const Napi::Value& value) {
  const Members members(value);
  CreateFunctionRequest request;
  request.name = members.required_text("name");
  request.runtime = members.required_text("runtime");
  request.handler = members.required_text("handler");
  request.code = code_of(members, value.Env());
  request.description = members.text("description").value_or("");
  request.timeout_s = members.integer("timeout");
  request.memory_mb = members.integer("memorySize");
  request.environment = members.text_map("environment");
  request.layers = members.texts("layers").value_or(std::vector<std::string>{});
  request.tags = members.text_map("tags").value_or(std::map<std::string, std::string>{});
  request.role = members.text("role").value_or("");
  request.log_format = log_format(members, value.Env()).value_or(LogFormat::kText);
  request.ephemeral_storage_mb = members.integer("ephemeralStorage");
  request.publish = members.flag("publish");
  request.dead_letter_target_arn = members.text("deadLetterTarget").value_or("");
  request.isolation = isolation(members, value.Env());
  request.vpc_config = vpc_config(members);
  return request;
}

UpdateCodeRequest update_code_request(const Napi::Value& value) {
  const Members members(value);
  UpdateCodeRequest request;
  request.name = members.required_text("name");
  request.code = code_of(members, value.Env());
  request.publish = members.flag("publish");
  request.dry_run = members.flag("dryRun");
  request.revision_id = members.text("revisionId");
  return request;
}

UpdateConfigurationRequest update_configuration_request(const Napi::Value& value) {
  const Members members(value);
  UpdateConfigurationRequest request;
  request.name = members.required_text("name");
  request.runtime = members.text("runtime");
  request.handler = members.text("handler");
  request.description = members.text("description");
  request.timeout_s = members.integer("timeout");
  request.memory_mb = members.integer("memorySize");
  request.environment = members.text_map("environment");
  request.layers = members.texts("layers");
  request.role = members.text("role");
  request.log_format = log_format(members, value.Env());
  request.ephemeral_storage_mb = members.integer("ephemeralStorage");
  request.dead_letter_target_arn = members.text("deadLetterTarget");
  request.vpc_config = vpc_config(members);
  request.revision_id = members.text("revisionId");
  return request;
}

PublishVersionRequest publish_version_request(const Napi::Value& value) {
  const Members members(value);
  PublishVersionRequest request;
  request.name = members.required_text("name");
  request.description = members.text("description").value_or("");
  request.code_sha256 = members.text("codeSha256");
  request.revision_id = members.text("revisionId");
  return request;
}

AliasRequest alias_request(const Napi::Value& value) {
  const Members members(value);
  AliasRequest request;
  request.function = members.required_text("function");
  request.alias = members.required_text("alias");
  request.version = members.text("version");
  request.description = members.text("description");
  request.weights = members.number_map("weights");
  request.revision_id = members.text("revisionId");
  return request;
}

GatewayOptions gateway_options(const Napi::Value& value) {
  const Members members(value);
  GatewayOptions options;
  const std::string quotas = members.text("quotas").value_or("classic");
  if (quotas != "classic" && quotas != "current") refuse(value.Env(), "quotas", "'classic' or 'current'");
  if (quotas == "current") options.quotas = Quotas::current();
  if (const auto most = members.integer("accountConcurrency")) {
    if (*most < 1) refuse(value.Env(), "accountConcurrency", "a number of invocations, at least 1");
    options.quotas.account_concurrency = *most;
  }
  options.region = members.text("region").value_or(options.region);
  options.account = members.text("account").value_or(options.account);
  options.idle_expiry = members.milliseconds("idleExpiry").value_or(options.idle_expiry);
  options.max_lifetime = members.milliseconds("maxLifetime").value_or(options.max_lifetime);
  options.freeze_after = members.milliseconds("freezeAfter").value_or(options.freeze_after);
  if (const auto stock = members.integer("workerStock")) {
    if (*stock < 0) refuse(value.Env(), "workerStock", "a number of workers");
    options.worker_stock = *stock;
  }
  options.require_strict_isolation = members.flag("requireStrictIsolation");
  options.interrupt_grace = members.milliseconds("interruptGrace").value_or(options.interrupt_grace);
  options.close_grace = members.milliseconds("closeGrace").value_or(options.close_grace);
  options.max_abandoned_environments =
      members.integer("maxAbandonedEnvironments").value_or(options.max_abandoned_environments);
  options.max_environments = members.integer("maxEnvironments").value_or(options.max_environments);
  options.async_retry_base = members.milliseconds("asyncRetryBase").value_or(options.async_retry_base);
  options.async_close_wait = members.milliseconds("asyncCloseWait").value_or(options.async_close_wait);
  if (const auto most = members.integer("maxWaitingEvents")) {
    if (*most < 0) refuse(value.Env(), "maxWaitingEvents", "a number of events");
    options.max_waiting_events = static_cast<std::size_t>(*most);
  }
  options.aws_endpoint_url = members.text("awsEndpointUrl").value_or("");
  options.allow_host_loopback = members.flag("allowHostLoopback");
  if (const auto networks = members.text("networks")) options.networks = networks_from_json(*networks);
  if (const auto hosts = members.object("hostOptions")) {
    const Members of_hosts(*hosts);
    for (const auto& [key, ignored] : *hosts) {
      const std::string language = key.As<Napi::String>().Utf8Value();
      if (auto of_host = of_hosts.text_map(language.c_str()))
        options.host_options[language] = std::move(*of_host);
    }
  }
  return options;
}

std::string payload_of(const Napi::Value& value) {
  if (value.IsString()) return value.As<Napi::String>().Utf8Value();
  if (value.IsTypedArray()) {
    const auto array = value.As<Napi::TypedArray>();
    const auto* data = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    return {data, array.ByteLength()};
  }
  if (value.IsArrayBuffer()) {
    auto buffer = value.As<Napi::ArrayBuffer>();
    return {static_cast<const char*>(buffer.Data()), buffer.ByteLength()};
  }
  refuse(value.Env(), "the payload", "a string or a Uint8Array");
}

std::string optional_text(const Napi::Value& value, const char* name) {
  if (value.IsUndefined() || value.IsNull()) return {};
  if (!value.IsString()) refuse(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace lambed::node_binding
