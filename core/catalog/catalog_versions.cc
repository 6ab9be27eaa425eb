// Versions and aliases.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "catalog/catalog_implementation.h"
#include "model/alias.h"
#include "model/violations.h"

namespace lambed::catalog {

Catalog::Implementation::Configuration Catalog::Implementation::publish(
    const model::FunctionReference& reference, Step& step, const PublishVersionRequest& request) {
  FunctionRecord& record = step.record;
  // A published version never changes, so it takes a copy of code that may.
  const auto package = packages_->freeze(packages_->open(record.latest.code), options_.quotas);
  if (!package.ok()) return package.error();
  VersionRecord version = record.latest;
  if (auto taken = take_code(version, **package); !taken.ok()) return taken.error();
  const std::string& present_sha256 = version.configuration.code_sha256;
  if (request.code_sha256 && *request.code_sha256 != present_sha256) {
    return model::invalid_parameter(
        fmt::format("CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try again "
                    "with the CodeSHA256 "
                    "in $LATEST.",
                    *request.code_sha256, present_sha256));
  }

  const std::string print = fingerprint(version);
  std::string number = std::to_string(record.last_version);
  if (print == record.published_fingerprint && record.versions.count(number) > 0) {
    auto existing = load_version(record, reference, number);
    if (!existing.ok()) return existing.error();
    version = std::move(*existing);
  } else {
    number = std::to_string(++record.last_version);
    version.configuration.version = number;
    version.configuration.revision_id = random_.uuid();
    if (!request.description.empty()) version.configuration.description = request.description;
    end_change(version.configuration);
    const std::string body = random_.uuid();
    record.versions[number] = body;
    record.published_fingerprint = print;
    record.latest.configuration.revision_id = random_.uuid();
    step.new_bodies.emplace_back(version_key(record.id, body), to_bytes(version));
    step.packages.push_back(*package);
  }
  version.configuration.function_arn = model::function_arn(options_.scope, reference.name, number);
  return version.configuration;
}

Catalog::Implementation::Configuration Catalog::Implementation::publish_version(
    const PublishVersionRequest& request) {
  auto reference = parse(request.name, {});
  if (!reference.ok()) return reference.error();
  if (request.description.size() > 256) {
    model::Violations violations;
    violations.check_length(request.description, "description", 0, 256);
    return *violations.error();
  }
  return update(*reference, [&](Step& step) -> Configuration {
    const FunctionConfiguration& latest = step.record.latest.configuration;
    if (auto revision = check_revision(request.revision_id, latest.revision_id); !revision.ok())
      return revision.error();
    if (auto settled = check_settled(*reference, latest); !settled.ok()) return settled.error();
    return publish(*reference, step, request);
  });
}

Result<std::vector<FunctionConfiguration>> Catalog::Implementation::list_versions(
    const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  std::vector<FunctionConfiguration> found{loaded->record.latest.configuration};
  for (const auto& [number, body] : loaded->record.versions) {
    auto version = load_version(loaded->record, *reference, number);
    if (!version.ok()) {
      if (version.error().code() == ErrorCode::ResourceNotFoundException) continue;  // deleted while we read
      return version.error();
    }
    found.push_back(std::move(version->configuration));
  }
  std::sort(found.begin() + 1, found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.version.size(), a.version) < std::pair(b.version.size(), b.version);
  });
  for (auto& entry : found)
    entry.function_arn = model::function_arn(options_.scope, reference->name, entry.version);
  return found;
}

Result<void> Catalog::Implementation::delete_version(const model::FunctionReference& reference) {
  const std::string& number = reference.qualifier;
  if (model::is_latest(number)) {
    return model::invalid_parameter("$LATEST version cannot be deleted without deleting the function.");
  }
  if (!model::is_version_number(number))
    return model::invalid_parameter("Deletion of aliases is not currently supported.");
  model::FunctionReference function = reference;
  function.qualifier.clear();
  return update(function, [&](Step& step) -> Result<void> {
    FunctionRecord& record = step.record;
    const auto body = record.versions.find(number);
    if (body == record.versions.end()) return {};
    std::vector<std::string> users;
    for (const auto& [name, alias] : record.aliases) {
      if (alias.version == number || alias.weights.count(number) > 0) users.push_back(name);
    }
    if (!users.empty()) {
      return Error(ErrorCode::ResourceConflictException,
                   fmt::format("Unable to delete version because the following aliases reference it: [{}]",
                               fmt::join(users, ", ")));
    }
    step.old_bodies.push_back(version_key(record.id, body->second));
    record.versions.erase(body);
    record.provisioned.erase(number);
    record.event_invoke.erase(number);
    return {};
  });
}

// ---- Aliases

AliasConfiguration Catalog::Implementation::describe(const model::FunctionReference& reference,
                                                     const std::string& name,
                                                     const AliasRecord& alias) const {
  return {model::function_arn(options_.scope, reference.name, name),
          name,
          alias.version,
          alias.description,
          alias.revision_id,
          alias.weights};
}

Result<void> Catalog::Implementation::check_versions_of(const model::FunctionReference& reference,
                                                        const FunctionRecord& record,
                                                        const AliasRecord& alias) const {
  if (auto routing = model::check_routing(alias.version, alias.weights); !routing.ok()) return routing;
  std::vector<std::string> named{alias.version};
  for (const auto& [version, weight] : alias.weights) named.push_back(version);
  for (const std::string& version : named) {
    if (has_version(record, version)) continue;
    model::FunctionReference missing = reference;
    missing.qualifier = version;
    return not_found(missing);
  }
  return {};
}

Result<AliasConfiguration> Catalog::Implementation::create_alias(const AliasRequest& request) {
  auto reference = parse(request.function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = model::check_alias_request(request, true); !checked.ok()) return checked.error();
  return update(*reference, [&](Step& step) -> Result<AliasConfiguration> {
    if (step.record.aliases.count(request.alias) > 0) {
      return Error(
          ErrorCode::ResourceConflictException,
          "Alias already exists: " + model::function_arn(options_.scope, reference->name, request.alias));
    }
    AliasRecord alias{*request.version, request.description.value_or(""), random_.uuid(),
                      request.weights.value_or(std::map<std::string, double>{})};
    if (auto checked = check_versions_of(*reference, step.record, alias); !checked.ok())
      return checked.error();
    step.record.aliases[request.alias] = alias;
    return describe(*reference, request.alias, alias);
  });
}

Result<AliasConfiguration> Catalog::Implementation::update_alias(const AliasRequest& request) {
  auto reference = parse(request.function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = model::check_alias_request(request, false); !checked.ok()) return checked.error();
  return update(*reference, [&](Step& step) -> Result<AliasConfiguration> {
    const auto it = step.record.aliases.find(request.alias);
    if (it == step.record.aliases.end()) {
      return Error(ErrorCode::ResourceNotFoundException,
                   "Alias not found: " + model::function_arn(options_.scope, reference->name, request.alias));
    }
    AliasRecord& alias = it->second;
    if (auto revision = check_revision(request.revision_id, alias.revision_id); !revision.ok())
      return revision.error();
    if (request.version) alias.version = *request.version;
    if (request.description) alias.description = *request.description;
    if (request.weights) alias.weights = *request.weights;
    if (auto checked = check_versions_of(*reference, step.record, alias); !checked.ok())
      return checked.error();
    alias.revision_id = random_.uuid();
    return describe(*reference, request.alias, alias);
  });
}

Result<AliasConfiguration> Catalog::Implementation::get_alias(const std::string& function,
                                                              const std::string& alias) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  const auto it = loaded->record.aliases.find(alias);
  if (it == loaded->record.aliases.end()) return no_alias(*reference, alias);
  return describe(*reference, alias, it->second);
}

Result<std::vector<AliasConfiguration>> Catalog::Implementation::list_aliases(const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  std::vector<AliasConfiguration> found;
  for (const auto& [name, alias] : loaded->record.aliases) found.push_back(describe(*reference, name, alias));
  return found;
}

Result<void> Catalog::Implementation::delete_alias(const std::string& function, const std::string& alias) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  return update(*reference, [&](Step& step) -> Result<void> {
    step.record.aliases.erase(alias);
    step.record.provisioned.erase(alias);
    step.record.event_invoke.erase(alias);
    return {};
  });
}

}  // namespace lambed::catalog
