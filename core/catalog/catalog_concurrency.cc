// Reserved and provisioned concurrency.
#include "catalog/catalog_implementation.h"
#include "model/violations.h"

namespace lambed::catalog {

model::ConcurrencyUse Catalog::Implementation::concurrency_use(const FunctionRecord& record,
                                                               const std::string& name,
                                                               const std::string& qualifier) const {
  model::ConcurrencyUse use;
  use.reserved = record.reserved;
  for (const auto& [provisioned, count] : record.provisioned) {
    if (provisioned != qualifier) use.provisioned += count;
  }
  for (const auto& function : directory_.all()) {
    if (function->name == name) continue;
    if (function->reserved_concurrency) {
      use.reserved_by_others += *function->reserved_concurrency;
      continue;
    }
    for (const auto& [number, version] : function->versions) {
      use.provisioned_unreserved_by_others += version->provisioned_concurrency;
    }
  }
  return use;
}

namespace {

// Reserved concurrency belongs to the function as a whole.
Result<void> check_unqualified(const model::FunctionReference& reference) {
  if (reference.qualifier.empty()) return {};
  return model::invalid_parameter(
      "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
      "operation. Please specify "
      "either a function name or an unqualified function ARN.");
}

}  // namespace

Result<void> Catalog::Implementation::put_concurrency(const std::string& function, int reserved) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_unqualified(*reference); !checked.ok()) return checked;
  std::lock_guard lock(concurrency_settings_);
  return update(*reference, [&](Step& step) -> Result<void> {
    const auto use = concurrency_use(step.record, reference->name, {});
    if (auto checked = model::check_reserved(reserved, use, options_.quotas); !checked.ok()) return checked;
    step.record.reserved = reserved;
    return {};
  });
}

Result<std::optional<int>> Catalog::Implementation::get_concurrency(const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_unqualified(*reference); !checked.ok()) return checked.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  return loaded->record.reserved;
}

Result<void> Catalog::Implementation::delete_concurrency(const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  if (auto checked = check_unqualified(*reference); !checked.ok()) return checked;
  std::lock_guard lock(concurrency_settings_);
  return update(*reference, [&](Step& step) -> Result<void> {
    step.record.reserved.reset();
    return {};
  });
}

Result<void> Catalog::Implementation::put_provisioned(const std::string& function,
                                                      const std::string& qualifier, int environments) {
  auto reference = parse(function, qualifier);
  if (!reference.ok()) return reference.error();
  const std::string& target = reference->qualifier;
  if (target.empty()) {
    model::Violations violations;
    violations.add_missing("qualifier");
    return *violations.error();
  }
  if (model::is_latest(target)) {
    return model::invalid_parameter(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
  }
  std::lock_guard lock(concurrency_settings_);
  model::FunctionReference whole = *reference;
  whole.qualifier.clear();
  return update(whole, [&](Step& step) -> Result<void> {
    FunctionRecord& record = step.record;
    const auto alias = record.aliases.find(target);
    if (alias == record.aliases.end() && !has_version(record, target)) {
      return model::is_version_number(target) ? not_found(*reference) : no_alias(whole, target);
    }
    if (environments == 0) {
      record.provisioned.erase(target);
      record.provisioned_at.erase(target);
      return {};
    }
    if (alias != record.aliases.end()) {
      if (model::is_latest(alias->second.version)) {
        return model::invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
      }
      if (record.provisioned.count(alias->second.version) > 0) {
        return Error(ErrorCode::ResourceConflictException,
                     "Alias can't be used for Provisioned Concurrency configuration on an already "
                     "Provisioned version");
      }
    } else {
      for (const auto& [name, other] : record.aliases) {
        if (other.version == target && record.provisioned.count(name) > 0) {
          return Error(ErrorCode::ResourceConflictException,
                       "Version is pointed by a Provisioned Concurrency alias");
        }
      }
    }
    const auto use = concurrency_use(record, whole.name, target);
    if (auto checked = model::check_provisioned(environments, use, options_.quotas); !checked.ok())
      return checked;
    record.provisioned[target] = environments;
    record.provisioned_at[target] = iso_now();
    return {};
  });
}

Result<std::vector<Catalog::Provisioned>> Catalog::Implementation::list_provisioned(
    const std::string& function) {
  auto reference = parse(function, {});
  if (!reference.ok()) return reference.error();
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  const FunctionRecord& record = loaded->record;
  std::vector<Provisioned> found;
  for (const auto& [qualifier, count] : record.provisioned) {
    Provisioned entry;
    entry.arn = model::function_arn(options_.scope, reference->name, qualifier);
    entry.qualifier = qualifier;
    const auto alias = record.aliases.find(qualifier);
    entry.version = alias == record.aliases.end() ? qualifier : alias->second.version;
    entry.environments = count;
    const auto at = record.provisioned_at.find(qualifier);
    if (at != record.provisioned_at.end()) entry.last_modified = at->second;
    found.push_back(std::move(entry));
  }
  return found;
}

Result<Catalog::Provisioned> Catalog::Implementation::get_provisioned(const std::string& function,
                                                                      const std::string& qualifier) {
  auto reference = parse(function, qualifier);
  if (!reference.ok()) return reference.error();
  if (reference->qualifier.empty()) {
    model::Violations violations;
    violations.add_missing("qualifier");
    return *violations.error();
  }
  if (model::is_latest(reference->qualifier)) {
    return model::invalid_parameter(
        "The function resource provided must be an alias or a published version.");
  }
  auto loaded = load(*reference);
  if (!loaded.ok()) return loaded.error();
  const std::string& target = reference->qualifier;
  if (loaded->record.aliases.count(target) == 0 && !has_version(loaded->record, target)) {
    return model::is_version_number(target) ? not_found(*reference) : no_alias(*reference, target);
  }
  auto all = list_provisioned(reference->name);
  if (!all.ok()) return all.error();
  for (Provisioned& entry : *all) {
    if (entry.qualifier == target) return std::move(entry);
  }
  return Error(ErrorCode::ProvisionedConcurrencyConfigNotFoundException,
               "No Provisioned Concurrency Config found for this function");
}

}  // namespace lambed::catalog
