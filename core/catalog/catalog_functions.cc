// Functions: create, read, update, delete.
#include <fmt/format.h>

#include <tuple>

#include "catalog/awaited.h"
#include "catalog/catalog_implementation.h"
#include "model/configuration.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace {

Error already_exists(const model::FunctionReference& reference) {
  return {ErrorCode::ResourceConflictException, "Function already exist: " + reference.name};
}

}  // namespace

Catalog::Implementation::Configuration Catalog::Implementation::create_function(
    const CreateFunctionRequest& request) {
  auto reference = parse(request.name, {}, model::NameUse::kCreate);
  if (!reference.ok()) return reference.error();
  if (!reference->qualifier.empty()) {
    return model::invalid_parameter(
        fmt::format("A function is created without a qualifier: {}", request.name));
  }
  auto configuration =
      model::configure(request, options_.quotas, options_.other_languages, options_.networks);
  if (!configuration.ok()) return configuration.error();
  if (auto layers = check_layers(configuration->layers); !layers.ok()) return layers.error();
  // Asked once before the work of unpacking, and again by the commit.
  if (load(*reference).ok()) return already_exists(*reference);
  const auto package = make_code(request.code, *configuration);
  if (!package.ok()) return package.error();

  Step step;
  FunctionRecord& record = step.record;
  record.id = random_.uuid();
  record.tags = request.tags;
  record.latest.configuration = std::move(*configuration);
  record.latest.generation = 1;
  FunctionConfiguration& made = record.latest.configuration;
  made.function_name = reference->name;
  made.function_arn = reference->arn();
  if (made.log_group.empty()) made.log_group = "/aws/lambda/" + reference->name;
  if (auto taken = take_code(record.latest, **package); !taken.ok()) return taken.error();
  touch(made);
  begin_life(made);
  if (options_.settles_at_once) end_change(made);

  FunctionConfiguration answer = made;
  if (request.publish) {
    auto published = publish(*reference, step, {.name = request.name});
    if (!published.ok()) return published;
    answer = std::move(*published);
    answer.function_arn = reference->arn();  // without the number, unlike everywhere else: so AWS answers
    answer.state = made.state;
    answer.last_update_status = made.last_update_status;
  }
  auto written = commit(reference->name, step, std::nullopt);
  if (!written.ok()) return written.error();
  if (!*written) return already_exists(*reference);
  return answer;
}

Catalog::Implementation::Configuration Catalog::Implementation::get_configuration(
    const std::string& function, const std::string& qualifier) {
  auto reference = parse(function, qualifier);
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  std::string number = reference->qualifier.empty() ? "$LATEST" : reference->qualifier;
  if (const auto alias = loaded->record.aliases.find(number); alias != loaded->record.aliases.end()) {
    number = alias->second.version;
  }
  auto version = load_version(loaded->record, *reference, number);
  if (!version.ok()) return version.error();
  FunctionConfiguration answer = std::move(version->configuration);
  answer.function_arn = reference->qualified_arn();
  if (model::is_latest(number)) fill_in_live_code(loaded->record, answer);
  return answer;
}

Catalog::Implementation::Configuration Catalog::Implementation::update_code(
    const UpdateCodeRequest& request) {
  auto reference = parse(request.name, {});
  if (!reference.ok()) return reference.error();
  auto before = load(*reference);
  if (!before.ok()) return before.error();
  const auto package = make_code(request.code, before->record.latest.configuration);
  if (!package.ok()) return package.error();

  const auto change = [&](Step& step) -> Configuration {
    VersionRecord& latest = step.record.latest;
    if (auto revision = check_revision(request.revision_id, latest.configuration.revision_id);
        !revision.ok()) {
      return revision.error();
    }
    if (auto settled = check_settled(*reference, latest.configuration); !settled.ok()) return settled.error();
    if (auto taken = take_code(latest, **package); !taken.ok()) return taken.error();
    if (request.architecture) latest.configuration.recorded.architecture = *request.architecture;
    ++latest.generation;
    touch(latest.configuration);
    begin_update(latest.configuration);
    if (options_.settles_at_once) end_change(latest.configuration);
    if (request.publish) return publish(*reference, step, {.name = request.name});
    return latest.configuration;
  };
  if (request.dry_run) {
    Step step;
    step.record = before->record;
    return change(step);
  }
  return update(*reference, change);
}

Catalog::Implementation::Configuration Catalog::Implementation::update_configuration(
    const UpdateConfigurationRequest& request) {
  auto reference = parse(request.name, {});
  if (!reference.ok()) return reference.error();
  return update(*reference, [&](Step& step) -> Configuration {
    VersionRecord& latest = step.record.latest;
    auto wanted = model::reconfigure(latest.configuration, request, options_.quotas, options_.other_languages,
                                     options_.networks);
    if (!wanted.ok()) return wanted;
    if (request.layers) {
      if (auto layers = check_layers(wanted->layers); !layers.ok()) return layers.error();
    }
    if (auto revision = check_revision(request.revision_id, latest.configuration.revision_id);
        !revision.ok()) {
      return revision.error();
    }
    if (auto settled = check_settled(*reference, latest.configuration); !settled.ok()) return settled.error();
    latest.configuration = std::move(*wanted);
    ++latest.generation;
    touch(latest.configuration);
    begin_update(latest.configuration);
    if (options_.settles_at_once) end_change(latest.configuration);
    return latest.configuration;
  });
}

Catalog::Implementation::Configuration Catalog::Implementation::settle_function(const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  return update(*reference, [&](Step& step) -> Configuration {
    FunctionConfiguration& latest = step.record.latest.configuration;
    if (check_settled(*reference, latest).ok()) return latest;
    end_change(latest);
    latest.revision_id = random_.uuid();
    return latest;
  });
}

Result<std::vector<FunctionConfiguration>> Catalog::Implementation::list_functions() {
  using ListAnswer = std::tuple<StoreStatus, std::vector<Entity>>;
  const auto [status, entities] =
      Awaited<ListAnswer>::wait_for([&](auto done) { store_->list(kFunctionPrefix, std::move(done)); });
  if (status != StoreStatus::kOk)
    return Error(ErrorCode::ServiceException, "The catalogue's store does not answer. Try again.");
  std::vector<FunctionConfiguration> found;
  for (const Entity& entity : entities) {
    auto record = function_from_bytes(entity.bytes);
    if (!record.ok()) return record.error();
    found.push_back(std::move(record->latest.configuration));
  }
  return found;
}

Result<void> Catalog::Implementation::delete_function(const std::string& function,
                                                      const std::string& qualifier) {
  auto reference = parse(function, qualifier, model::NameUse::kDelete);
  if (!reference.ok()) return reference.error();
  if (!reference->qualifier.empty()) return delete_version(*reference);
  for (;;) {
    auto loaded = load(*reference);
    if (!loaded.ok()) return loaded.error();
    const auto [status] = Awaited<std::tuple<StoreStatus>>::wait_for(
        [&](auto done) { store_->remove_if(function_key(reference->name), loaded->rev, std::move(done)); });
    if (status == StoreStatus::kConflict) continue;
    if (status == StoreStatus::kFailed) return store_error();
    if (status == StoreStatus::kUnknown) {
      // Gone, or another function of that name: ours was deleted.
      auto now = load(*reference);
      if (now.ok() && now->record.id == loaded->record.id) continue;
      if (!now.ok() && now.error().code() != ErrorCode::ResourceNotFoundException) return now.error();
    }
    std::vector<std::string> bodies;
    for (const auto& [number, body] : loaded->record.versions)
      bodies.push_back(version_key(loaded->record.id, body));
    remove_bodies(bodies);
    return {};
  }
}

Result<Catalog::Whole> Catalog::Implementation::get_function(const std::string& function,
                                                             const std::string& qualifier) {
  auto configuration = get_configuration(function, qualifier);
  if (!configuration.ok()) return configuration.error();
  auto reference = parse(function, qualifier);
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  auto version = load_version(loaded->record, *reference, configuration->version);
  if (!version.ok()) return version.error();
  return Whole{std::move(*configuration), std::move(version->code), std::move(loaded->record.tags),
               loaded->record.reserved};
}

// ---- Tags

namespace {

// They belong to the function as a whole.
Result<void> check_taggable(const model::FunctionReference& reference) {
  if (reference.qualifier.empty()) return {};
  return model::invalid_parameter(
      "Tags on function aliases and versions are not supported. Please specify a function ARN.");
}

}  // namespace

Result<std::map<std::string, std::string>> Catalog::Implementation::tags(const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_taggable(*reference); !checked.ok()) return checked.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  return loaded->record.tags;
}

Result<void> Catalog::Implementation::tag(const std::string& function,
                                          const std::map<std::string, std::string>& tags) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_taggable(*reference); !checked.ok()) return checked;
  if (auto checked = model::check_tags(tags); !checked.ok()) return checked;
  return update(*reference, [&](Step& step) -> Result<void> {
    for (const auto& [key, value] : tags) step.record.tags[key] = value;
    return model::check_tag_rules(step.record.tags);
  });
}

Result<void> Catalog::Implementation::untag(const std::string& function,
                                            const std::vector<std::string>& keys) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_taggable(*reference); !checked.ok()) return checked;
  return update(*reference, [&](Step& step) -> Result<void> {
    for (const std::string& key : keys) step.record.tags.erase(key);
    return {};
  });
}

}  // namespace lambed::catalog
