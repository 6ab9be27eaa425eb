#include "api/routes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "http/message.h"

namespace lambed::api {
namespace {

// Source: botocore's lambda/2015-03-31/service-2.json (1.43). Those with a selector stand before those without.
constexpr Operation kOperations[] = {
    {"Invoke", "POST", "/2015-03-31/functions/{FunctionName}/invocations", ""},
    {"GetFunction", "GET", "/2015-03-31/functions/{FunctionName}", ""},
    {"GetFunctionConfiguration", "GET", "/2015-03-31/functions/{FunctionName}/configuration", ""},
    {"ListFunctions", "GET", "/2015-03-31/functions", ""},
    {"CreateFunction", "POST", "/2015-03-31/functions", ""},
    {"UpdateFunctionCode", "PUT", "/2015-03-31/functions/{FunctionName}/code", ""},
    {"UpdateFunctionConfiguration", "PUT", "/2015-03-31/functions/{FunctionName}/configuration", ""},
    {"DeleteFunction", "DELETE", "/2015-03-31/functions/{FunctionName}", ""},
    {"PublishVersion", "POST", "/2015-03-31/functions/{FunctionName}/versions", ""},
    {"ListVersionsByFunction", "GET", "/2015-03-31/functions/{FunctionName}/versions", ""},
    {"CreateAlias", "POST", "/2015-03-31/functions/{FunctionName}/aliases", ""},
    {"ListAliases", "GET", "/2015-03-31/functions/{FunctionName}/aliases", ""},
    {"GetAlias", "GET", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", ""},
    {"UpdateAlias", "PUT", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", ""},
    {"DeleteAlias", "DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}", ""},
    {"AddPermission", "POST", "/2015-03-31/functions/{FunctionName}/policy", ""},
    {"GetPolicy", "GET", "/2015-03-31/functions/{FunctionName}/policy", ""},
    {"RemovePermission", "DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", ""},
    {"TagResource", "POST", "/2017-03-31/tags/{Resource}", ""},
    {"UntagResource", "DELETE", "/2017-03-31/tags/{Resource}", ""},
    {"ListTags", "GET", "/2017-03-31/tags/{Resource}", ""},
    {"PublishLayerVersion", "POST", "/2018-10-31/layers/{LayerName}/versions", ""},
    {"GetLayerVersion", "GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", ""},
    {"GetLayerVersionByArn", "GET", "/2018-10-31/layers", "find=LayerVersion"},
    {"ListLayers", "GET", "/2018-10-31/layers", ""},
    {"ListLayerVersions", "GET", "/2018-10-31/layers/{LayerName}/versions", ""},
    {"DeleteLayerVersion", "DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", ""},
    {"AddLayerVersionPermission", "POST", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy",
     ""},
    {"GetLayerVersionPolicy", "GET", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", ""},
    {"RemoveLayerVersionPermission", "DELETE",
     "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}", ""},
    {"CreateEventSourceMapping", "POST", "/2015-03-31/event-source-mappings", ""},
    {"ListEventSourceMappings", "GET", "/2015-03-31/event-source-mappings", ""},
    {"GetEventSourceMapping", "GET", "/2015-03-31/event-source-mappings/{UUID}", ""},
    {"UpdateEventSourceMapping", "PUT", "/2015-03-31/event-source-mappings/{UUID}", ""},
    {"DeleteEventSourceMapping", "DELETE", "/2015-03-31/event-source-mappings/{UUID}", ""},
    {"CreateFunctionUrlConfig", "POST", "/2021-10-31/functions/{FunctionName}/url", ""},
    {"GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{FunctionName}/url", ""},
    {"UpdateFunctionUrlConfig", "PUT", "/2021-10-31/functions/{FunctionName}/url", ""},
    {"DeleteFunctionUrlConfig", "DELETE", "/2021-10-31/functions/{FunctionName}/url", ""},
    {"ListFunctionUrlConfigs", "GET", "/2021-10-31/functions/{FunctionName}/urls", ""},
    {"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{FunctionName}/concurrency", ""},
    {"GetFunctionConcurrency", "GET", "/2019-09-30/functions/{FunctionName}/concurrency", ""},
    {"DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", ""},
    {"PutProvisionedConcurrencyConfig", "PUT", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
     ""},
    {"ListProvisionedConcurrencyConfigs", "GET",
     "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", "List=ALL"},
    {"GetProvisionedConcurrencyConfig", "GET", "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
     ""},
    {"DeleteProvisionedConcurrencyConfig", "DELETE",
     "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", ""},
    {"PutFunctionEventInvokeConfig", "PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", ""},
    {"UpdateFunctionEventInvokeConfig", "POST", "/2019-09-25/functions/{FunctionName}/event-invoke-config",
     ""},
    {"GetFunctionEventInvokeConfig", "GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", ""},
    {"DeleteFunctionEventInvokeConfig", "DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config",
     ""},
    {"ListFunctionEventInvokeConfigs", "GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config/list",
     ""},
    {"GetAccountSettings", "GET", "/2016-08-19/account-settings", ""},
    {"GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", ""},
    {"PutFunctionCodeSigningConfig", "PUT", "/2020-06-30/functions/{FunctionName}/code-signing-config", ""},
    {"DeleteFunctionCodeSigningConfig", "DELETE", "/2020-06-30/functions/{FunctionName}/code-signing-config",
     ""},
    {"CreateCodeSigningConfig", "POST", "/2020-04-22/code-signing-configs", ""},
    {"ListCodeSigningConfigs", "GET", "/2020-04-22/code-signing-configs", ""},
    {"GetCodeSigningConfig", "GET", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", ""},
    {"UpdateCodeSigningConfig", "PUT", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", ""},
    {"DeleteCodeSigningConfig", "DELETE", "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", ""},
    {"ListFunctionsByCodeSigningConfig", "GET",
     "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions", ""},
    {"GetRuntimeManagementConfig", "GET", "/2021-07-20/functions/{FunctionName}/runtime-management-config",
     ""},
    {"PutRuntimeManagementConfig", "PUT", "/2021-07-20/functions/{FunctionName}/runtime-management-config",
     ""},
    {"PutFunctionRecursionConfig", "PUT", "/2024-08-31/functions/{FunctionName}/recursion-config", ""},
    {"GetFunctionRecursionConfig", "GET", "/2024-08-31/functions/{FunctionName}/recursion-config", ""},
    {"InvokeAsync", "POST", "/2014-11-13/functions/{FunctionName}/invoke-async", ""},
    {"InvokeWithResponseStream", "POST",
     "/2021-11-15/functions/{FunctionName}/response-streaming-invocations", ""},
    {"CheckpointDurableExecution", "POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint",
     ""},
    {"GetDurableExecution", "GET", "/2025-12-01/durable-executions/{DurableExecutionArn}", ""},
    {"GetDurableExecutionHistory", "GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/history", ""},
    {"GetDurableExecutionState", "GET", "/2025-12-01/durable-executions/{DurableExecutionArn}/state", ""},
    {"StopDurableExecution", "POST", "/2025-12-01/durable-executions/{DurableExecutionArn}/stop", ""},
    {"ListDurableExecutionsByFunction", "GET", "/2025-12-01/functions/{FunctionName}/durable-executions", ""},
    {"SendDurableExecutionCallbackFailure", "POST",
     "/2025-12-01/durable-execution-callbacks/{CallbackId}/fail", ""},
    {"SendDurableExecutionCallbackHeartbeat", "POST",
     "/2025-12-01/durable-execution-callbacks/{CallbackId}/heartbeat", ""},
    {"SendDurableExecutionCallbackSuccess", "POST",
     "/2025-12-01/durable-execution-callbacks/{CallbackId}/succeed", ""},
    {"CreateCapacityProvider", "POST", "/2025-11-30/capacity-providers", ""},
    {"ListCapacityProviders", "GET", "/2025-11-30/capacity-providers", ""},
    {"GetCapacityProvider", "GET", "/2025-11-30/capacity-providers/{CapacityProviderName}", ""},
    {"UpdateCapacityProvider", "PUT", "/2025-11-30/capacity-providers/{CapacityProviderName}", ""},
    {"DeleteCapacityProvider", "DELETE", "/2025-11-30/capacity-providers/{CapacityProviderName}", ""},
    {"ListFunctionVersionsByCapacityProvider", "GET",
     "/2025-11-30/capacity-providers/{CapacityProviderName}/function-versions", ""},
    {"GetFunctionScalingConfig", "GET", "/2025-11-30/functions/{FunctionName}/function-scaling-config", ""},
    {"PutFunctionScalingConfig", "PUT", "/2025-11-30/functions/{FunctionName}/function-scaling-config", ""},
};

// "/a/b/" -> "a", "b". Empty parts inside stay, so that they match nothing.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with("/")) path.remove_prefix(1);
  if (path.ends_with("/")) path.remove_suffix(1);
  for (;;) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool has_selector(std::string_view query, std::string_view selector) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part == selector) return true;
    query.remove_prefix(std::min(query.size(), part.size() + 1));
  }
  return false;
}

bool fits(std::string_view path_template, const std::vector<std::string_view>& parts,
          PathParameters* parameters) {
  const auto wanted = parts_of(path_template);
  if (wanted.size() != parts.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!wanted[i].starts_with("{")) {
      if (wanted[i] != parts[i]) return false;
      continue;
    }
    auto decoded = http::percent_decoded(parts[i]);
    if (!decoded || decoded->empty()) return false;
    if (parameters != nullptr) {
      parameters->emplace(wanted[i].substr(1, wanted[i].size() - 2), std::move(*decoded));
    }
  }
  return true;
}

}  // namespace

std::pair<const Operation*, std::size_t> operations() { return {kOperations, std::size(kOperations)}; }

std::optional<Match> match(std::string_view method, std::string_view path, std::string_view query) {
  const auto parts = parts_of(path);
  for (const Operation& operation : kOperations) {
    if (operation.method != method) continue;
    if (!operation.selector.empty() && !has_selector(query, operation.selector)) continue;
    if (!fits(operation.path, parts, nullptr)) continue;
    Match found{&operation, {}};
    fits(operation.path, parts, &found.parameters);
    return found;
  }
  return std::nullopt;
}

}  // namespace lambed::api
