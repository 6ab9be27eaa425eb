// The inside of Catalog, shared by the files that implement it: reading records, changing them, making code.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/code_packages.h"
#include "catalog/record.h"
#include "model/concurrency.h"

namespace lambed::catalog {

// One step that an operation wants to make: the function as it will be, and bodies of versions that come and go with it.
struct Step {
  FunctionRecord record;
  std::vector<std::pair<std::string, std::string>> new_bodies;  // key, bytes
  std::vector<std::string> old_bodies;                          // keys
  std::vector<std::shared_ptr<CodePackage>> packages;           // kept until the step is in view
};

class Catalog::Implementation {
 public:
  using Configuration = Result<FunctionConfiguration>;

  Implementation(CatalogOptions options, Clock& clock, Random& random, std::shared_ptr<Store> store,
                 std::shared_ptr<CodePackages> packages);

  // catalog_functions.cc
  Configuration create_function(const CreateFunctionRequest& request);
  Configuration get_configuration(const std::string& function, const std::string& qualifier);
  Configuration update_code(const UpdateCodeRequest& request);
  Configuration update_configuration(const UpdateConfigurationRequest& request);
  Result<std::vector<FunctionConfiguration>> list_functions();
  Result<void> delete_function(const std::string& function, const std::string& qualifier);
  Configuration settle_function(const std::string& function);
  Result<Whole> get_function(const std::string& function, const std::string& qualifier);
  Result<std::map<std::string, std::string>> tags(const std::string& function);
  Result<void> tag(const std::string& function, const std::map<std::string, std::string>& tags);
  Result<void> untag(const std::string& function, const std::vector<std::string>& keys);

  // catalog_versions.cc
  Configuration publish_version(const PublishVersionRequest& request);
  Result<std::vector<FunctionConfiguration>> list_versions(const std::string& function);
  Result<AliasConfiguration> create_alias(const AliasRequest& request);
  Result<AliasConfiguration> update_alias(const AliasRequest& request);
  Result<AliasConfiguration> get_alias(const std::string& function, const std::string& alias);
  Result<std::vector<AliasConfiguration>> list_aliases(const std::string& function);
  Result<void> delete_alias(const std::string& function, const std::string& alias);
  // Publishes what the step's $LATEST is; the answer's ARN carries the number.
  Configuration publish(const model::FunctionReference& reference, Step& step,
                        const PublishVersionRequest& request);
  Result<void> delete_version(const model::FunctionReference& reference);

  // catalog_concurrency.cc
  Result<void> put_concurrency(const std::string& function, int reserved);
  Result<std::optional<int>> get_concurrency(const std::string& function);
  Result<void> delete_concurrency(const std::string& function);
  Result<void> put_provisioned(const std::string& function, const std::string& qualifier, int environments);
  Result<std::vector<Provisioned>> list_provisioned(const std::string& function);
  Result<Provisioned> get_provisioned(const std::string& function, const std::string& qualifier);

  // catalog_events.cc
  Result<EventInvokeConfiguration> put_event_invoke(const EventInvokeRequest& request, bool merging);
  Result<EventInvokeConfiguration> get_event_invoke(const std::string& function,
                                                    const std::string& qualifier);
  Result<void> delete_event_invoke(const std::string& function, const std::string& qualifier);
  Result<std::vector<EventInvokeConfiguration>> list_event_invoke(const std::string& function);

  const CatalogOptions options_;
  Clock& clock_;
  Random& random_;
  const std::shared_ptr<Store> store_;
  const std::shared_ptr<CodePackages> packages_;
  Directory directory_;

 private:
  struct Loaded {
    FunctionRecord record;
    Rev rev;
  };

  Result<model::FunctionReference> parse(const std::string& function, const std::string& qualifier,
                                         model::NameUse use = model::NameUse::kRead) const;
  // ResourceNotFoundException when there is no such function; the message has the qualifier that was asked for.
  Result<Loaded> load(const model::FunctionReference& reference);
  Result<VersionRecord> load_version(const FunctionRecord& record, const model::FunctionReference& reference,
                                     const std::string& number);
  // True: written. False: someone else was quicker, nothing was written. No rev: the key must be absent.
  Result<bool> commit(const std::string& name, Step& step, const std::optional<Rev>& rev);
  void remove_bodies(const std::vector<std::string>& keys);

  // Reads, lets `change` make a step (Result<T> change(Step&)), writes; again from the start when someone else was quicker.
  template <class Change>
  std::invoke_result_t<Change, Step&> update(const model::FunctionReference& reference, Change change) {
    for (;;) {
      auto loaded = load(reference);
      if (!loaded.ok()) return loaded.error();
      Step step;
      step.record = loaded->record;
      auto answer = change(step);
      if (!answer.ok() || to_bytes(step.record) == to_bytes(loaded->record)) return answer;
      auto written = commit(reference.name, step, loaded->rev);
      if (!written.ok()) return written.error();
      if (*written) return answer;
    }
  }

  Error not_found(const model::FunctionReference& reference) const;
  Error no_alias(const model::FunctionReference& reference, const std::string& alias) const;
  Result<void> check_revision(const std::optional<std::string>& expected, const std::string& present) const;
  Result<void> check_settled(const model::FunctionReference& reference,
                             const FunctionConfiguration& present) const;
  Result<void> check_storage(std::uint64_t more) const;
  Result<void> check_layers(std::vector<std::string>& layers) const;
  Result<std::shared_ptr<CodePackage>> make_code(const Code& code,
                                                 const FunctionConfiguration& configuration);
  Result<void> take_code(VersionRecord& version, CodePackage& package);
  void touch(FunctionConfiguration& configuration);  // LastModified and RevisionId
  Error store_error() const;                         // why the store has not done what it was asked
  std::string iso_now() const;                       // "2025-11-25T10:00:00.000+0000"
  void fill_in_live_code(const FunctionRecord& record, FunctionConfiguration& configuration);
  // The named version's number, "$LATEST" or a number: what an alias or version qualifier stands for.
  bool has_version(const FunctionRecord& record, const std::string& version) const;
  AliasConfiguration describe(const model::FunctionReference& reference, const std::string& name,
                              const AliasRecord& alias) const;
  Result<void> check_versions_of(const model::FunctionReference& reference, const FunctionRecord& record,
                                 const AliasRecord& alias) const;
  model::ConcurrencyUse concurrency_use(const FunctionRecord& record, const std::string& name,
                                        const std::string& qualifier) const;

  std::mutex concurrency_settings_;  // held while one is checked against all others and written
};

}  // namespace lambed::catalog
