// Concurrency, tags, account settings, and the few settings of which a function here always has the same.
#include <fmt/format.h>

#include "api/operations.h"
#include "model/concurrency.h"
#include "model/reference.h"

namespace lambed::api {
namespace {

using nlohmann::json;

// AWS sends the errors about limits of concurrency without a Type.
[[noreturn]] void throw_limit(const Error& error) {
  Fault fault(error);
  if (error.code() == ErrorCode::InvalidParameterValueException) {
    const std::string& text = fault.message;
    if (text.starts_with("Specified ") || text.starts_with("Requested ") ||
        text.starts_with("ReservedConcurrentExecutions")) {
      fault.type.clear();
    }
  }
  throw fault;
}

int required(const Members& body, const char* member, const char* shown, int least) {
  const auto value = body.integer(member);
  model::Violations violations;
  if (!value) {
    violations.add_missing(shown);
  } else if (*value < least) {
    violations.add(std::to_string(*value), shown, model::must_be_at_least(least));
  }
  throw_if_any(violations);
  return *value;
}

json describe(Scope& scope, const catalog::Catalog::Provisioned& setting, const std::string& function) {
  const auto snapshot = scope.catalog().directory().find(function);
  int available = 0;
  bool init_fails = false;
  if (snapshot != nullptr) {
    if (const auto version = snapshot->versions.find(setting.version); version != snapshot->versions.end()) {
      const auto environments = scope.core->engine().environments_of(*version->second);
      available = std::min(environments.usable, setting.environments);
      init_fails = environments.init_fails;
    }
  }
  const bool is_ready = available >= setting.environments;
  json described = {{"RequestedProvisionedConcurrentExecutions", setting.environments},
                    {"AvailableProvisionedConcurrentExecutions", available},
                    {"AllocatedProvisionedConcurrentExecutions", available},
                    {"Status", is_ready     ? "READY"
                               : init_fails ? "FAILED"
                                            : "IN_PROGRESS"},
                    {"LastModified", setting.last_modified}};
  if (!is_ready && init_fails) described["StatusReason"] = "FUNCTION_ERROR_INIT_FAILURE";
  return described;
}

std::string name_of(Scope& scope, const std::string& function) {
  return model::parse_function_reference(function, {}, {scope.region, scope.account}).value().name;
}

// The function that a tag operation names: only functions can be tagged here.
std::string tagged_function(const Call& call) {
  const std::string& resource = call.path.find("Resource")->second;
  if (!resource.starts_with("arn:")) {
    model::Violations violations;
    violations.add(
        resource, "resource",
        model::must_match(
            R"(arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:)"
            R"((function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|)"
            R"(event-source-mapping:[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}))"));
    throw_if_any(violations);
  }
  if (resource.find(":function:") == std::string::npos) {
    throw Fault(Error(ErrorCode::OperationNotSupportedException,
                      "Only functions have tags in this version of lambed: " + resource));
  }
  return resource;
}

}  // namespace

Reply put_concurrency(Api&, Scope& scope, Call& call) {
  const int reserved =
      required(call.body(), "ReservedConcurrentExecutions", "reservedConcurrentExecutions", 0);
  const auto done = scope.catalog().put_function_concurrency(call.function(), reserved);
  if (!done.ok()) throw_limit(done.error());
  return {200, {{"ReservedConcurrentExecutions", reserved}}};
}

Reply get_concurrency(Api&, Scope& scope, Call& call) {
  const auto reserved = scope.catalog().get_function_concurrency(call.function()).value();
  json body = json::object();
  if (reserved) body["ReservedConcurrentExecutions"] = *reserved;
  return {200, std::move(body)};
}

Reply delete_concurrency(Api&, Scope& scope, Call& call) {
  scope.catalog().delete_function_concurrency(call.function()).value();
  return {204, nullptr};
}

Reply put_provisioned(Api&, Scope& scope, Call& call) {
  const int wanted =
      required(call.body(), "ProvisionedConcurrentExecutions", "provisionedConcurrentExecutions", 1);
  const auto done = scope.catalog().put_provisioned_concurrency(call.function(), call.qualifier(), wanted);
  if (!done.ok()) throw_limit(done.error());
  const auto setting = scope.catalog().get_provisioned_concurrency(call.function(), call.qualifier()).value();
  return {202,
          {{"RequestedProvisionedConcurrentExecutions", wanted},
           {"AvailableProvisionedConcurrentExecutions", 0},
           {"AllocatedProvisionedConcurrentExecutions", 0},
           {"Status", "IN_PROGRESS"},
           {"LastModified", setting.last_modified}}};
}

Reply get_provisioned(Api&, Scope& scope, Call& call) {
  const auto setting = scope.catalog().get_provisioned_concurrency(call.function(), call.qualifier()).value();
  return {200, describe(scope, setting, name_of(scope, call.function()))};
}

Reply delete_provisioned(Api&, Scope& scope, Call& call) {
  scope.catalog().put_provisioned_concurrency(call.function(), call.qualifier(), 0).value();
  return {204, nullptr};
}

Reply list_provisioned(Api&, Scope& scope, Call& call) {
  const Page page = page_of(call);
  const auto settings = scope.catalog().list_provisioned_concurrency(call.function()).value();
  const std::string name = name_of(scope, call.function());
  json body;
  put_page(
      body, "ProvisionedConcurrencyConfigs", page, settings, [](const auto& s) { return s.qualifier; },
      [&](const auto& s) {
        json entry = describe(scope, s, name);
        entry["FunctionArn"] = s.arn;
        return entry;
      });
  return {200, std::move(body)};
}

Reply tag_resource(Api&, Scope& scope, Call& call) {
  const auto tags = call.body().text_map("Tags");
  if (!tags) {
    model::Violations violations;
    violations.add_missing("tags");
    throw_if_any(violations);
  }
  scope.catalog().tag(tagged_function(call), *tags).value();
  return {204, nullptr};
}

Reply untag_resource(Api&, Scope& scope, Call& call) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : call.query) {
    if (name == "tagKeys") keys.push_back(value);
  }
  if (keys.empty()) {
    model::Violations violations;
    violations.add_missing("tagKeys");
    throw_if_any(violations);
  }
  scope.catalog().untag(tagged_function(call), keys).value();
  return {204, nullptr};
}

Reply list_tags(Api&, Scope& scope, Call& call) {
  return {200, {{"Tags", scope.catalog().tags(tagged_function(call)).value()}}};
}

Reply get_account_settings(Api& api, Scope& scope, Call&) {
  const Quotas& quotas = api.quotas();
  std::uint64_t stored = 0;
  std::size_t functions = 0;
  int reserved = 0;
  for (const auto& function : scope.catalog().directory().all()) {
    ++functions;
    reserved += function->reserved_concurrency.value_or(0);
    stored += function->latest->configuration.code_size;
    for (const auto& [number, version] : function->versions) stored += version->configuration.code_size;
  }
  return {200,
          {{"AccountLimit",
            {{"TotalCodeSize", quotas.stored_code},
             {"CodeSizeUnzipped", quotas.unzipped_code},
             {"CodeSizeZipped", quotas.zip_upload},
             {"ConcurrentExecutions", quotas.account_concurrency},
             {"UnreservedConcurrentExecutions", quotas.account_concurrency - reserved}}},
           {"AccountUsage", {{"TotalCodeSize", stored}, {"FunctionCount", functions}}}}};
}

// ---- What cannot be set yet, and so has one answer.

Reply get_code_signing(Api&, Scope& scope, Call& call) {
  const auto configuration = scope.catalog().get_function_configuration(call.function()).value();
  return {200, {{"FunctionName", configuration.function_name}}};
}

Reply get_runtime_management(Api&, Scope& scope, Call& call) {
  const auto configuration =
      scope.catalog().get_function_configuration(call.function(), call.qualifier()).value();
  std::string arn = configuration.function_arn;
  if (call.qualifier().empty()) arn += ":$LATEST";
  return {200, {{"UpdateRuntimeOn", "Auto"}, {"FunctionArn", arn}}};
}

Reply get_policy(Api&, Scope& scope, Call& call) {
  scope.catalog().get_function_configuration(call.function(), call.qualifier()).value();
  throw Fault(
      Error(ErrorCode::ResourceNotFoundException, "No policy is associated with the given resource."));
}

}  // namespace lambed::api
