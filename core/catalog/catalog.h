// Functions, versions and aliases: every operation that changes them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "catalog/directory.h"
#include "catalog/store.h"
#include "lambed/function.h"
#include "lambed/quotas.h"
#include "model/networks.h"
#include "model/reference.h"
#include "model/runtimes.h"

namespace lambed::catalog {

class CodePackages;

struct CatalogOptions {
  Quotas quotas = Quotas::classic();
  model::Scope scope;
  // AWS answers Pending / InProgress and settles a little later; so does the catalogue when this is false and
  // settle() is called. An embedded gateway wants its functions usable when the call returns.
  bool settles_at_once = true;
  // Languages beside AWS's whose functions are taken, because a plugin serves them.
  model::OtherLanguages other_languages = {};
  // Those that a VpcConfig may name.
  model::Networks networks = {};
};

// Every operation changes everything it names or nothing. Writers of one function meet in an optimistic
// put_if: one wins each revision, the others read again and apply themselves to what they find. Function
// names take every form of model::parse_function_reference. Errors are those of AWS in AWS's wording.
// Threads: any thread may call any method; calls wait for the store's answer (the in-memory store never makes
// them wait).
class Catalog {
 public:
  // In memory, with the code in a private temporary folder.
  Catalog(CatalogOptions options, Clock& clock, Random& random);
  Catalog(CatalogOptions options, Clock& clock, Random& random, std::shared_ptr<Store> store,
          std::shared_ptr<CodePackages> packages);
  ~Catalog();
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  Directory& directory();
  const CatalogOptions& options() const;

  Result<FunctionConfiguration> create_function(const CreateFunctionRequest& request);
  Result<FunctionConfiguration> get_function_configuration(const std::string& function,
                                                           const std::string& qualifier = {}) const;
  Result<FunctionConfiguration> update_function_code(const UpdateCodeRequest& request);
  Result<FunctionConfiguration> update_function_configuration(const UpdateConfigurationRequest& request);
  Result<std::vector<FunctionConfiguration>> list_functions() const;  // $LATEST of each, by name
  // With a qualifier that version only; deleting a version that is not there is no error, as on AWS.
  Result<void> delete_function(const std::string& function, const std::string& qualifier = {});
  // Ends the state Pending (a new function) or InProgress (an updated one); each of them gives a new
  // RevisionId.
  Result<FunctionConfiguration> settle(const std::string& function);

  Result<FunctionConfiguration> publish_version(const PublishVersionRequest& request);
  Result<std::vector<FunctionConfiguration>> list_versions(
      const std::string& function) const;  // $LATEST first

  Result<AliasConfiguration> create_alias(const AliasRequest& request);
  Result<AliasConfiguration> update_alias(const AliasRequest& request);
  Result<AliasConfiguration> get_alias(const std::string& function, const std::string& alias) const;
  Result<std::vector<AliasConfiguration>> list_aliases(const std::string& function) const;
  Result<void> delete_alias(const std::string& function, const std::string& alias);

  Result<void> put_function_concurrency(const std::string& function, int reserved);
  Result<std::optional<int>> get_function_concurrency(const std::string& function) const;
  Result<void> delete_function_concurrency(const std::string& function);
  // Of a version or an alias; 0 removes the setting.
  Result<void> put_provisioned_concurrency(const std::string& function, const std::string& qualifier,
                                           int environments);

  // One setting of provisioned concurrency.
  struct Provisioned {
    std::string arn;        // with the qualifier
    std::string qualifier;  // version number or alias
    std::string version;    // what the qualifier stands for
    int environments = 0;
    std::string last_modified;
  };
  Result<std::vector<Provisioned>> list_provisioned_concurrency(const std::string& function) const;
  // ProvisionedConcurrencyConfigNotFoundException when the qualifier has none.
  Result<Provisioned> get_provisioned_concurrency(const std::string& function,
                                                  const std::string& qualifier) const;

  // What becomes of events. A call for a function without a qualifier means its $LATEST. ResourceNotFoundException when there
  // is no such function, version or alias, and for all but put when nothing is configured there.
  Result<EventInvokeConfiguration> put_event_invoke(const EventInvokeRequest& request);
  Result<EventInvokeConfiguration> update_event_invoke(const EventInvokeRequest& request);
  Result<EventInvokeConfiguration> get_event_invoke(const std::string& function,
                                                    const std::string& qualifier) const;
  Result<void> delete_event_invoke(const std::string& function, const std::string& qualifier);
  // In the order of their qualifiers.
  Result<std::vector<EventInvokeConfiguration>> list_event_invoke(const std::string& function) const;

  // What GetFunction tells.
  struct Whole {
    FunctionConfiguration configuration;
    CodeReference code;
    std::map<std::string, std::string> tags;
    std::optional<int> reserved;
  };
  Result<Whole> get_function(const std::string& function, const std::string& qualifier = {}) const;

  // Tags belong to a function as a whole: a qualifier is refused.
  Result<std::map<std::string, std::string>> tags(const std::string& function) const;
  Result<void> tag(const std::string& function, const std::map<std::string, std::string>& tags);
  Result<void> untag(const std::string& function, const std::vector<std::string>& keys);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lambed::catalog
