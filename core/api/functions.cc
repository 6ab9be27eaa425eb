// Functions: create, read, update, delete.
#include <fmt/format.h>

#include <algorithm>

#include "api/documents.h"
#include "api/operations.h"
#include "base/digest.h"
#include "catalog/code_packages.h"
#include "model/violations.h"

namespace lambed::api {
namespace {

using nlohmann::json;

Fault unsupported(const std::string& what) {
  return Fault(Error(ErrorCode::InvalidParameterValueException, what + " is not supported by lambed."));
}

// Code of the request: only a zip can be given, since there is no S3 and no image registry here.
Code code_of(const Members& code) {
  if (code.has("ImageUri")) throw unsupported("PackageType Image");
  if (const auto bucket = code.text("S3Bucket")) {
    // As AWS answers for a bucket that is not there; here none is.
    throw Fault(Error(ErrorCode::InvalidParameterValueException,
                      "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
                      "specified bucket does not exist"));
  }
  const auto text = code.text("ZipFile");
  if (!text) return {};
  auto bytes = base64_decode(*text);
  if (!bytes) {
    Fault fault(400, "SerializationException", "ZipFile is not base64.");
    fault.type.clear();
    throw fault;
  }
  return Code::zip(std::move(*bytes));
}

// The library says in parentheses what is wrong with a zip; AWS does not, and its text is compared.
FunctionConfiguration value_of(Result<FunctionConfiguration> result) {
  constexpr std::string_view known =
      "Could not unzip uploaded file. Please check your file, then try to upload again.";
  if (!result.ok() && result.error().message().starts_with(known)) {
    throw Fault(Error(result.error().code(), std::string(known)));
  }
  return std::move(result).value();
}

struct Settings {
  std::optional<LogFormat> log_format;
  std::optional<std::string> log_group, application_log_level, system_log_level;
};

Settings logging_of(const Members& body, model::Violations& violations) {
  Settings settings;
  const auto logging = body.structure("LoggingConfig");
  if (!logging) return settings;
  const auto format = logging->text("LogFormat");
  check_enum(violations, format, "loggingConfig.logFormat", {"JSON", "Text"});
  if (format) settings.log_format = *format == "JSON" ? LogFormat::kJson : LogFormat::kText;
  settings.log_group = logging->text("LogGroup");
  settings.application_log_level = logging->text("ApplicationLogLevel");
  check_enum(violations, settings.application_log_level, "loggingConfig.applicationLogLevel",
             {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"});
  settings.system_log_level = logging->text("SystemLogLevel");
  check_enum(violations, settings.system_log_level, "loggingConfig.systemLogLevel",
             {"DEBUG", "INFO", "WARN"});
  return settings;
}

// What is kept and answered only; true: one of them was given.
bool read_recorded(const Members& body, RecordedSettings& recorded, model::Violations& violations) {
  bool given = false;
  if (const auto tracing = body.structure("TracingConfig")) {
    const auto mode = tracing->text("Mode");
    check_enum(violations, mode, "tracingConfig.mode", {"PassThrough", "Active"});
    if (mode) recorded.tracing_mode = *mode;
    given = true;
  }
  if (const auto snap_start = body.structure("SnapStart")) {
    const auto apply_on = snap_start->text("ApplyOn");
    check_enum(violations, apply_on, "snapStart.applyOn", {"PublishedVersions", "None"});
    if (apply_on) recorded.snap_start = *apply_on;
    given = true;
  }
  if (const auto key = body.text("KMSKeyArn")) {
    recorded.kms_key_arn = *key;
    given = true;
  }
  return given;
}

// DeadLetterConfig without a target takes the one away that was there.
std::optional<std::string> dead_letter_target_of(const Members& body) {
  const auto config = body.structure("DeadLetterConfig");
  if (!config) return std::nullopt;
  return config->text("TargetArn").value_or("");
}

std::optional<std::string> architecture_of(const Members& body, model::Violations& violations) {
  const auto architectures = body.text_list("Architectures");
  if (!architectures) return std::nullopt;
  const bool known =
      architectures->size() == 1 && (architectures->front() == "x86_64" || architectures->front() == "arm64");
  if (known) return architectures->front();
  std::string shown;
  for (const std::string& entry : *architectures) shown += (shown.empty() ? "" : ", ") + entry;
  violations.add(
      "[" + shown + "]", "architectures",
      "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member "
      "must not be null]");
  return std::nullopt;
}

void refuse_what_is_not_there(const Members& body) {
  if (const auto layers = body.text_list("Layers"); layers && !layers->empty()) {
    // Layers cannot be published yet, so none of them is there.
    throw Fault(Error(ErrorCode::InvalidParameterValueException,
                      fmt::format("Layer version {} does not exist.", layers->front())));
  }
  // An empty one asks for nothing.
  for (const char* member :
       {"FileSystemConfigs", "ImageConfig", "CapacityProviderConfig", "DurableConfig", "TenancyConfig"}) {
    if (!body.is_empty(member)) throw unsupported(member);
  }
}

// A list that is not given stays as it is in `present`.
std::optional<VpcConfig> vpc_config_of(const Members& body, const std::optional<VpcConfig>& present) {
  const auto vpc = body.structure("VpcConfig");
  if (!vpc) return std::nullopt;
  VpcConfig config = present.value_or(VpcConfig{});
  if (auto ids = vpc->text_list("SubnetIds")) config.subnet_ids = std::move(*ids);
  if (auto ids = vpc->text_list("SecurityGroupIds")) config.security_group_ids = std::move(*ids);
  config.ipv6_allowed_for_dual_stack =
      vpc->boolean("Ipv6AllowedForDualStack").value_or(config.ipv6_allowed_for_dual_stack);
  return config;
}

std::optional<int> storage_of(const Members& body) {
  const auto storage = body.structure("EphemeralStorage");
  return storage ? storage->integer("Size") : std::nullopt;
}

std::optional<std::map<std::string, std::string>> variables_of(const Members& body) {
  const auto environment = body.structure("Environment");
  if (!environment) return std::nullopt;
  return environment->text_map("Variables").value_or(std::map<std::string, std::string>{});
}

std::string location_of(const Call& call, const Scope& scope, const FunctionConfiguration& configuration) {
  return fmt::format("http://{}/_lambed/code/{}/{}/{}", call.request.header("Host"), scope.key(),
                     http::percent_encoded(configuration.function_name),
                     http::percent_encoded(configuration.version));
}

}  // namespace

Reply create_function(Api& api, Scope& scope, Call& call) {
  const Members body = call.body();
  model::Violations violations;
  CreateFunctionRequest request;
  request.isolation = api.options().isolation;
  if (auto name = body.text("FunctionName")) {
    request.name = std::move(*name);
  } else {
    violations.add_missing("functionName");
  }
  if (auto role = body.text("Role")) {
    request.role = std::move(*role);
    if (request.role.empty())
      violations.add("", "role",
                     model::must_match(R"(arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+)"));
  } else {
    violations.add_missing("role");
  }
  const auto code = body.structure("Code");
  if (!code) violations.add_missing("code");
  const auto package_type = body.text("PackageType");
  check_enum(violations, package_type, "packageType", {"Zip", "Image"});
  const Settings logging = logging_of(body, violations);
  read_recorded(body, request.recorded, violations);
  if (const auto architecture = architecture_of(body, violations))
    request.recorded.architecture = *architecture;
  throw_if_any(violations);
  if (package_type == "Image") throw unsupported("PackageType Image");
  refuse_what_is_not_there(body);

  const auto runtime = body.text("Runtime");
  const auto handler = body.text("Handler");
  if (!runtime || !handler) {
    throw Fault(Error(ErrorCode::InvalidParameterValueException,
                      "Runtime and Handler are mandatory parameters for functions created with deployment "
                      "packages."));
  }
  request.runtime = *runtime;
  request.handler = *handler;
  request.code = code_of(*code);
  request.description = body.text("Description").value_or("");
  request.timeout_s = body.integer("Timeout");
  request.memory_mb = body.integer("MemorySize");
  request.environment = variables_of(body);
  request.tags = body.text_map("Tags").value_or(std::map<std::string, std::string>{});
  request.log_format = logging.log_format.value_or(LogFormat::kText);
  request.log_group = logging.log_group.value_or("");
  request.application_log_level = logging.application_log_level.value_or("");
  request.system_log_level = logging.system_log_level.value_or("");
  request.ephemeral_storage_mb = storage_of(body);
  request.dead_letter_target_arn = dead_letter_target_of(body).value_or("");
  request.vpc_config = vpc_config_of(body, std::nullopt);
  request.publish = body.boolean("Publish").value_or(false);
  api.check_runtime(request.runtime);

  const FunctionConfiguration made = value_of(scope.catalog().create_function(request));
  api.settle_later(scope, made.function_name);
  return {201, describe(made, Detail::kWhole, scope.region)};
}

Reply get_function(Api&, Scope& scope, Call& call) {
  const catalog::Catalog::Whole whole =
      scope.catalog().get_function(call.function(), call.qualifier()).value();
  json body = {{"Configuration", describe(whole.configuration, Detail::kWhole, scope.region)},
               {"Code", {{"RepositoryType", "S3"}}}};
  if (whole.code.form == catalog::CodeReference::Form::kZip) {
    body["Code"]["Location"] = location_of(call, scope, whole.configuration);
  }
  if (!whole.tags.empty()) body["Tags"] = whole.tags;
  if (whole.reserved) body["Concurrency"] = {{"ReservedConcurrentExecutions", *whole.reserved}};
  return {200, std::move(body)};
}

Reply get_function_configuration(Api&, Scope& scope, Call& call) {
  const auto configuration =
      scope.catalog().get_function_configuration(call.function(), call.qualifier()).value();
  return {200, describe(configuration, Detail::kWhole, scope.region)};
}

Reply list_functions(Api&, Scope& scope, Call& call) {
  const Page page = page_of(call);
  model::Violations violations;
  std::optional<std::string> which;
  if (auto given = call.parameter("FunctionVersion"); !given.empty()) which = std::move(given);
  check_enum(violations, which, "functionVersion", {"ALL"});
  throw_if_any(violations);

  // From the local view, which has every write of this process before it is answered: a page of 10,000 functions costs no
  // reading of 10,000 records.
  const auto functions = scope.catalog().directory().all();
  json body;
  if (!which) {
    put_page(
        body, "Functions", page, functions, [](const auto& f) { return f->name; },
        [&](const auto& f) { return describe(f->latest->configuration, Detail::kList, scope.region); });
    return {200, std::move(body)};
  }
  std::vector<std::pair<std::string, std::shared_ptr<const catalog::FunctionVersion>>> versions;
  for (const auto& function : functions) {
    versions.emplace_back(function->name + ":", function->latest);
    for (const auto& [number, version] : function->versions) {
      versions.emplace_back(fmt::format("{}:{:0>12}", function->name, number), version);
    }
  }
  std::sort(versions.begin(), versions.end());
  put_page(
      body, "Functions", page, versions, [](const auto& v) { return v.first; },
      [&](const auto& v) {
        FunctionConfiguration configuration = v.second->configuration;
        configuration.function_arn = v.second->arn + ":" + v.second->version;
        return describe(configuration, Detail::kList, scope.region);
      });
  return {200, std::move(body)};
}

Reply update_function_code(Api& api, Scope& scope, Call& call) {
  const Members body = call.body();
  model::Violations violations;
  UpdateCodeRequest request;
  request.name = call.function();
  request.architecture = architecture_of(body, violations);
  throw_if_any(violations);
  request.code = code_of(body);
  request.publish = body.boolean("Publish").value_or(false);
  request.dry_run = body.boolean("DryRun").value_or(false);
  request.revision_id = body.text("RevisionId");
  const FunctionConfiguration updated = value_of(scope.catalog().update_function_code(request));
  if (!request.dry_run) api.settle_later(scope, updated.function_name);
  return {200, describe(updated, Detail::kWhole, scope.region)};
}

Reply update_function_configuration(Api& api, Scope& scope, Call& call) {
  const Members body = call.body();
  model::Violations violations;
  UpdateConfigurationRequest request;
  request.name = call.function();
  const Settings logging = logging_of(body, violations);
  RecordedSettings recorded;
  {
    model::Violations ignored;
    if (read_recorded(body, recorded, ignored)) {
      // Members that are not given stay as they are.
      recorded = scope.catalog().get_function_configuration(request.name).value().recorded;
      read_recorded(body, recorded, violations);
      request.recorded = recorded;
    }
  }
  throw_if_any(violations);
  refuse_what_is_not_there(body);
  request.runtime = body.text("Runtime");
  request.handler = body.text("Handler");
  request.description = body.text("Description");
  request.timeout_s = body.integer("Timeout");
  request.memory_mb = body.integer("MemorySize");
  request.environment = variables_of(body);
  if (body.has("Layers")) request.layers.emplace();
  request.role = body.text("Role");
  request.log_format = logging.log_format;
  request.log_group = logging.log_group;
  request.application_log_level = logging.application_log_level;
  request.system_log_level = logging.system_log_level;
  request.ephemeral_storage_mb = storage_of(body);
  request.dead_letter_target_arn = dead_letter_target_of(body);
  if (body.has("VpcConfig"))
    request.vpc_config =
        vpc_config_of(body, scope.catalog().get_function_configuration(request.name).value().vpc_config);
  request.revision_id = body.text("RevisionId");
  if (request.runtime) api.check_runtime(*request.runtime);
  const FunctionConfiguration updated = scope.catalog().update_function_configuration(request).value();
  api.settle_later(scope, updated.function_name);
  return {200, describe(updated, Detail::kWhole, scope.region)};
}

Reply delete_function(Api&, Scope& scope, Call& call) {
  scope.catalog().delete_function(call.function(), call.qualifier()).value();
  return {204, nullptr};
}

http::Response download_code(Api& api, const std::string& path) {
  // ACCOUNT/REGION/FUNCTION/VERSION
  std::vector<std::string> parts;
  for (std::string_view rest = path;;) {
    const auto slash = rest.find('/');
    parts.push_back(http::percent_decoded(rest.substr(0, slash)).value_or(""));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (parts.size() != 4) throw Fault(404, "ResourceNotFoundException", "There is no such code.");
  Scope& scope = api.scope(parts[0], parts[1]);
  const auto whole = scope.catalog().get_function(parts[2], parts[3]).value();
  http::Response response;
  response.with("Content-Type", "application/zip");
  response.body = scope.core->packages().read(whole.code).value();
  return response;
}

}  // namespace lambed::api
