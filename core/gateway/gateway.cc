#include "lambed/gateway.h"

#include <utility>

#include "environments/host_registry.h"
#include "gateway/core.h"
#include "lambed/embedding.h"

namespace lambed {

class Gateway::Implementation : public gateway::Core {
 public:
  // In memory, and ready when the call returns: an embedded gateway's functions are used at once.
  explicit Implementation(const GatewayOptions& options) : Core(options, {}, true) {}
};

Gateway::Gateway(GatewayOptions options) : implementation_(std::make_shared<Implementation>(options)) {}

Gateway::~Gateway() {
  // In a forked child the threads that the rest would join do not exist; the copy is left as it is.
  if (implementation_->engine().is_of_parent()) {
    static auto* kept = new std::vector<std::shared_ptr<Implementation>>();
    kept->push_back(implementation_);
    return;
  }
  close();
}

FunctionConfiguration Gateway::create_function(CreateFunctionRequest request) {
  return implementation_->catalog().create_function(request).value();
}

FunctionConfiguration Gateway::get_function_configuration(const std::string& function,
                                                          const std::string& qualifier) const {
  return implementation_->catalog().get_function_configuration(function, qualifier).value();
}

FunctionConfiguration Gateway::update_function_code(UpdateCodeRequest request) {
  return implementation_->catalog().update_function_code(request).value();
}

FunctionConfiguration Gateway::update_function_configuration(UpdateConfigurationRequest request) {
  return implementation_->catalog().update_function_configuration(request).value();
}

std::vector<FunctionConfiguration> Gateway::list_functions() const {
  return implementation_->catalog().list_functions().value();
}

void Gateway::delete_function(const std::string& function, const std::string& qualifier) {
  implementation_->catalog().delete_function(function, qualifier).value();
}

FunctionConfiguration Gateway::publish_version(PublishVersionRequest request) {
  return implementation_->catalog().publish_version(request).value();
}

std::vector<FunctionConfiguration> Gateway::list_versions(const std::string& function) const {
  return implementation_->catalog().list_versions(function).value();
}

AliasConfiguration Gateway::create_alias(AliasRequest request) {
  return implementation_->catalog().create_alias(request).value();
}

AliasConfiguration Gateway::update_alias(AliasRequest request) {
  return implementation_->catalog().update_alias(request).value();
}

AliasConfiguration Gateway::get_alias(const std::string& function, const std::string& alias) const {
  return implementation_->catalog().get_alias(function, alias).value();
}

std::vector<AliasConfiguration> Gateway::list_aliases(const std::string& function) const {
  return implementation_->catalog().list_aliases(function).value();
}

void Gateway::delete_alias(const std::string& function, const std::string& alias) {
  implementation_->catalog().delete_alias(function, alias).value();
}

void Gateway::put_function_concurrency(const std::string& function, int reserved) {
  implementation_->catalog().put_function_concurrency(function, reserved).value();
}

std::optional<int> Gateway::get_function_concurrency(const std::string& function) const {
  return implementation_->catalog().get_function_concurrency(function).value();
}

void Gateway::delete_function_concurrency(const std::string& function) {
  implementation_->catalog().delete_function_concurrency(function).value();
}

void Gateway::put_provisioned_concurrency(const std::string& function, const std::string& qualifier,
                                          int environments) {
  implementation_->catalog().put_provisioned_concurrency(function, qualifier, environments).value();
}

EventInvokeConfiguration Gateway::put_function_event_invoke_config(const EventInvokeRequest& request) {
  return implementation_->catalog().put_event_invoke(request).value();
}

EventInvokeConfiguration Gateway::update_function_event_invoke_config(const EventInvokeRequest& request) {
  return implementation_->catalog().update_event_invoke(request).value();
}

EventInvokeConfiguration Gateway::get_function_event_invoke_config(const std::string& function,
                                                                   const std::string& qualifier) const {
  return implementation_->catalog().get_event_invoke(function, qualifier).value();
}

void Gateway::delete_function_event_invoke_config(const std::string& function, const std::string& qualifier) {
  implementation_->catalog().delete_event_invoke(function, qualifier).value();
}

std::vector<EventInvokeConfiguration> Gateway::list_function_event_invoke_configs(
    const std::string& function) const {
  return implementation_->catalog().list_event_invoke(function).value();
}

InvokeResult Gateway::invoke(InvokeRequest request) {
  return invoke(std::move(request), std::function<bool()>());
}

InvokeResult Gateway::invoke(InvokeRequest request, const std::function<bool()>& go_on) {
  auto result = implementation_->engine().invoke(std::move(request), go_on);
  if (!result.ok()) throw result.error();
  return std::move(*result);
}

void Gateway::invoke(InvokeRequest request, std::function<void(InvokeResult)> done) {
  invoke(std::move(request), std::move(done), CallbackThread::kCoreLoop);
}

void Gateway::invoke(InvokeRequest request, std::function<void(InvokeResult)> done, CallbackThread thread) {
  implementation_->engine().invoke(std::move(request), std::move(done), thread);
}

std::future<InvokeResult> Gateway::invoke_future(InvokeRequest request) {
  return implementation_->engine().invoke_future(std::move(request));
}

EventStatus Gateway::event_status(const std::string& request_id) const {
  return implementation_->event_status(request_id).value();
}

EventCounts Gateway::event_counts() const { return implementation_->events().counts(); }

std::vector<DeadLetter> Gateway::list_dead_letters(const DeadLetterQuery& query) const {
  return implementation_->dead_letters().list(query).value();
}

DeadLetter Gateway::get_dead_letter(const std::string& id) const {
  return implementation_->dead_letters().get(id).value();
}

Redrive Gateway::redrive_dead_letters(const DeadLetterSelection& selection) {
  return implementation_->redrive(selection).value();
}

std::size_t Gateway::purge_dead_letters(const DeadLetterSelection& selection) {
  return implementation_->dead_letters().remove(selection).value();
}

FunctionUsage Gateway::usage(const std::string& function) const {
  const FunctionConfiguration configuration = get_function_configuration(function);
  const auto snapshot = implementation_->catalog().directory().find(configuration.function_name);
  return snapshot == nullptr ? FunctionUsage{} : implementation_->engine().usage(snapshot->id);
}

GatewayStatus Gateway::status() const { return implementation_->engine().status(); }

std::vector<HostReport> Gateway::hosts(bool probe) {
  return environments::HostRegistry::instance().report(probe);
}

void declare_context(Context context) {
  environments::HostRegistry::instance().set_context(static_cast<lambed_context>(context));
}

void start_host(const std::string& language, const std::map<std::string, std::string>& options) {
  static_cast<void>(environments::HostRegistry::instance().host_for(language, options));
}

void search_hosts_in(std::string folder) {
  environments::HostRegistry::instance().add_folder(std::move(folder));
}

void register_host(std::string language, const lambed_host_api& api) {
  environments::HostRegistry::instance().add_built_in(std::move(language), api);
}

void Gateway::close() { implementation_->close(); }

}  // namespace lambed
