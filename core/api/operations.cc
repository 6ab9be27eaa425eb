#include "api/operations.h"

#include <map>

namespace lambed::api {

// Those of the model that are not here are answered OperationNotSupportedException. Invoke is Api's own, since it does not wait.
Perform find_operation(std::string_view name) {
  static const std::map<std::string_view, Perform> kOperations = {
      {"CreateFunction", create_function},
      {"GetFunction", get_function},
      {"GetFunctionConfiguration", get_function_configuration},
      {"ListFunctions", list_functions},
      {"UpdateFunctionCode", update_function_code},
      {"UpdateFunctionConfiguration", update_function_configuration},
      {"DeleteFunction", delete_function},
      {"PublishVersion", publish_version},
      {"ListVersionsByFunction", list_versions},
      {"CreateAlias", create_alias},
      {"GetAlias", get_alias},
      {"UpdateAlias", update_alias},
      {"DeleteAlias", delete_alias},
      {"ListAliases", list_aliases},
      {"PutFunctionConcurrency", put_concurrency},
      {"GetFunctionConcurrency", get_concurrency},
      {"DeleteFunctionConcurrency", delete_concurrency},
      {"PutProvisionedConcurrencyConfig", put_provisioned},
      {"GetProvisionedConcurrencyConfig", get_provisioned},
      {"DeleteProvisionedConcurrencyConfig", delete_provisioned},
      {"ListProvisionedConcurrencyConfigs", list_provisioned},
      {"PutFunctionEventInvokeConfig", put_event_invoke},
      {"UpdateFunctionEventInvokeConfig", update_event_invoke},
      {"GetFunctionEventInvokeConfig", get_event_invoke},
      {"DeleteFunctionEventInvokeConfig", delete_event_invoke},
      {"ListFunctionEventInvokeConfigs", list_event_invoke},
      {"TagResource", tag_resource},
      {"UntagResource", untag_resource},
      {"ListTags", list_tags},
      {"GetAccountSettings", get_account_settings},
      {"GetFunctionCodeSigningConfig", get_code_signing},
      {"GetRuntimeManagementConfig", get_runtime_management},
      {"GetPolicy", get_policy},
  };
  const auto found = kOperations.find(name);
  return found == kOperations.end() ? nullptr : found->second;
}

}  // namespace lambed::api
