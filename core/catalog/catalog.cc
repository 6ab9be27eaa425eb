#include "catalog/catalog.h"

#include "catalog/catalog_implementation.h"
#include "catalog/memory_store.h"

namespace lambed::catalog {

Catalog::Catalog(CatalogOptions options, Clock& clock, Random& random)
    : Catalog(std::move(options), clock, random, std::make_shared<MemoryStore>(), CodePackages::in_memory()) {
}

Catalog::Catalog(CatalogOptions options, Clock& clock, Random& random, std::shared_ptr<Store> store,
                 std::shared_ptr<CodePackages> packages)
    : implementation_(std::make_unique<Implementation>(std::move(options), clock, random, std::move(store),
                                                       std::move(packages))) {}

Catalog::~Catalog() = default;

Directory& Catalog::directory() { return implementation_->directory_; }
const CatalogOptions& Catalog::options() const { return implementation_->options_; }

Result<FunctionConfiguration> Catalog::create_function(const CreateFunctionRequest& request) {
  return implementation_->create_function(request);
}
Result<FunctionConfiguration> Catalog::get_function_configuration(const std::string& function,
                                                                  const std::string& qualifier) const {
  return implementation_->get_configuration(function, qualifier);
}
Result<FunctionConfiguration> Catalog::update_function_code(const UpdateCodeRequest& request) {
  return implementation_->update_code(request);
}
Result<FunctionConfiguration> Catalog::update_function_configuration(
    const UpdateConfigurationRequest& request) {
  return implementation_->update_configuration(request);
}
Result<std::vector<FunctionConfiguration>> Catalog::list_functions() const {
  return implementation_->list_functions();
}
Result<void> Catalog::delete_function(const std::string& function, const std::string& qualifier) {
  return implementation_->delete_function(function, qualifier);
}
Result<FunctionConfiguration> Catalog::settle(const std::string& function) {
  return implementation_->settle_function(function);
}

Result<FunctionConfiguration> Catalog::publish_version(const PublishVersionRequest& request) {
  return implementation_->publish_version(request);
}
Result<std::vector<FunctionConfiguration>> Catalog::list_versions(const std::string& function) const {
  return implementation_->list_versions(function);
}

Result<AliasConfiguration> Catalog::create_alias(const AliasRequest& request) {
  return implementation_->create_alias(request);
}
Result<AliasConfiguration> Catalog::update_alias(const AliasRequest& request) {
  return implementation_->update_alias(request);
}
Result<AliasConfiguration> Catalog::get_alias(const std::string& function, const std::string& alias) const {
  return implementation_->get_alias(function, alias);
}
Result<std::vector<AliasConfiguration>> Catalog::list_aliases(const std::string& function) const {
  return implementation_->list_aliases(function);
}
Result<void> Catalog::delete_alias(const std::string& function, const std::string& alias) {
  return implementation_->delete_alias(function, alias);
}

Result<void> Catalog::put_function_concurrency(const std::string& function, int reserved) {
  return implementation_->put_concurrency(function, reserved);
}
Result<std::optional<int>> Catalog::get_function_concurrency(const std::string& function) const {
  return implementation_->get_concurrency(function);
}
Result<void> Catalog::delete_function_concurrency(const std::string& function) {
  return implementation_->delete_concurrency(function);
}
Result<void> Catalog::put_provisioned_concurrency(const std::string& function, const std::string& qualifier,
                                                  int environments) {
  return implementation_->put_provisioned(function, qualifier, environments);
}

Result<std::vector<Catalog::Provisioned>> Catalog::list_provisioned_concurrency(
    const std::string& function) const {
  return implementation_->list_provisioned(function);
}
Result<Catalog::Provisioned> Catalog::get_provisioned_concurrency(const std::string& function,
                                                                  const std::string& qualifier) const {
  return implementation_->get_provisioned(function, qualifier);
}

Result<EventInvokeConfiguration> Catalog::put_event_invoke(const EventInvokeRequest& request) {
  return implementation_->put_event_invoke(request, false);
}
Result<EventInvokeConfiguration> Catalog::update_event_invoke(const EventInvokeRequest& request) {
  return implementation_->put_event_invoke(request, true);
}
Result<EventInvokeConfiguration> Catalog::get_event_invoke(const std::string& function,
                                                           const std::string& qualifier) const {
  return implementation_->get_event_invoke(function, qualifier);
}
Result<void> Catalog::delete_event_invoke(const std::string& function, const std::string& qualifier) {
  return implementation_->delete_event_invoke(function, qualifier);
}
Result<std::vector<EventInvokeConfiguration>> Catalog::list_event_invoke(const std::string& function) const {
  return implementation_->list_event_invoke(function);
}

Result<Catalog::Whole> Catalog::get_function(const std::string& function,
                                             const std::string& qualifier) const {
  return implementation_->get_function(function, qualifier);
}
Result<void> Catalog::tag(const std::string& function, const std::map<std::string, std::string>& tags) {
  return implementation_->tag(function, tags);
}
Result<void> Catalog::untag(const std::string& function, const std::vector<std::string>& keys) {
  return implementation_->untag(function, keys);
}
Result<std::map<std::string, std::string>> Catalog::tags(const std::string& function) const {
  return implementation_->tags(function);
}

}  // namespace lambed::catalog
