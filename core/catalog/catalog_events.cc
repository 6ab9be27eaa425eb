// What becomes of events: retries, age and destinations, by version or alias.
#include "catalog/catalog_implementation.h"
#include "model/destinations.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace {

const char* const kNoFunction = "The function doesn't exist.";

EventInvokeConfiguration answer_of(const model::FunctionReference& reference,
                                   const EventInvokeSettings& settings) {
  EventInvokeConfiguration configuration;
  configuration.function_arn = reference.qualified_arn();
  configuration.maximum_retry_attempts = settings.maximum_retry_attempts;
  configuration.maximum_event_age_s = settings.maximum_event_age_s;
  configuration.on_success = settings.on_success;
  configuration.on_failure = settings.on_failure;
  configuration.last_modified_ms = settings.last_modified_ms;
  return configuration;
}

// Configurations hang on a qualifier always.
void qualify(model::FunctionReference& reference) {
  if (reference.qualifier.empty()) reference.qualifier = "$LATEST";
}

Error none_configured(const model::FunctionReference& reference) {
  return {ErrorCode::ResourceNotFoundException,
          "The function " + reference.qualified_arn() + " doesn't have an EventInvokeConfig"};
}

}  // namespace

Result<EventInvokeConfiguration> Catalog::Implementation::put_event_invoke(const EventInvokeRequest& request,
                                                                           bool merging) {
  auto reference = parse(request.function, request.qualifier);
  if (!reference.ok()) return reference.error();
  if (auto checked = model::check_event_invoke_members(request); !checked.ok()) return checked.error();
  qualify(*reference);
  const auto exists = [&](std::string_view name, std::string_view qualifier) {
    return directory_.resolve(name, qualifier, 0.0).ok();
  };
  auto answer = update(*reference, [&](Step& step) -> Result<EventInvokeConfiguration> {
    FunctionRecord& record = step.record;
    if (!has_version(record, reference->qualifier) && record.aliases.count(reference->qualifier) == 0)
      return Error(ErrorCode::ResourceNotFoundException, kNoFunction);
    const auto present = record.event_invoke.find(reference->qualifier);
    if (merging && present == record.event_invoke.end()) return none_configured(*reference);
    if (auto checked = model::check_destinations(request, options_.scope, reference->name, exists);
        !checked.ok()) {
      return checked.error();
    }
    EventInvokeSettings settings = merging ? present->second : EventInvokeSettings{};
    if (request.maximum_retry_attempts) settings.maximum_retry_attempts = request.maximum_retry_attempts;
    if (request.maximum_event_age_s) settings.maximum_event_age_s = request.maximum_event_age_s;
    if (request.on_success) settings.on_success = *request.on_success;
    if (request.on_failure) settings.on_failure = *request.on_failure;
    settings.last_modified_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.wall().time_since_epoch()).count();
    record.event_invoke[reference->qualifier] = settings;
    return answer_of(*reference, settings);
  });
  // AWS words it differently here than everywhere else.
  if (!answer.ok() && answer.error().message().starts_with("Function not found: "))
    return Error(ErrorCode::ResourceNotFoundException, kNoFunction);
  return answer;
}

Result<EventInvokeConfiguration> Catalog::Implementation::get_event_invoke(const std::string& function,
                                                                           const std::string& qualifier) {
  auto reference = parse(function, qualifier);
  if (!reference.ok()) return reference.error();
  qualify(*reference);
  auto loaded = load(*reference);
  if (!loaded.ok()) {
    if (loaded.error().code() == ErrorCode::ResourceNotFoundException) return none_configured(*reference);
    return loaded.error();
  }
  const auto found = loaded->record.event_invoke.find(reference->qualifier);
  if (found == loaded->record.event_invoke.end()) return none_configured(*reference);
  return answer_of(*reference, found->second);
}

Result<void> Catalog::Implementation::delete_event_invoke(const std::string& function,
                                                          const std::string& qualifier) {
  auto reference = parse(function, qualifier);
  if (!reference.ok()) return reference.error();
  qualify(*reference);
  auto done = update(*reference, [&](Step& step) -> Result<void> {
    if (step.record.event_invoke.erase(reference->qualifier) == 0) return none_configured(*reference);
    return {};
  });
  if (!done.ok() && done.error().code() == ErrorCode::ResourceNotFoundException)
    return none_configured(*reference);
  return done;
}

Result<std::vector<EventInvokeConfiguration>> Catalog::Implementation::list_event_invoke(
    const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) {
    if (loaded.error().code() == ErrorCode::ResourceNotFoundException)
      return Error(ErrorCode::ResourceNotFoundException, kNoFunction);
    return loaded.error();
  }
  std::vector<EventInvokeConfiguration> found;
  for (const auto& [qualifier, settings] : loaded->record.event_invoke) {
    reference->qualifier = qualifier;
    found.push_back(answer_of(*reference, settings));
  }
  return found;
}

}  // namespace lambed::catalog
