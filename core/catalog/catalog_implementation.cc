#include "catalog/catalog_implementation.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>
#include <tuple>

#include "catalog/awaited.h"
#include "model/runtimes.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace fs = std::filesystem;

namespace {

using GetAnswer = std::tuple<StoreStatus, std::optional<Entity>>;
using PutAnswer = std::tuple<StoreStatus, Rev>;

// So often a store may leave it open whether a write happened before the caller is told.
constexpr int kMostUnknownAnswers = 5;

GetAnswer get(Store& store, const std::string& key) {
  return Awaited<GetAnswer>::wait_for([&](auto done) { store.get(key, std::move(done)); });
}

PutAnswer put(Store& store, const std::string& key, const std::string& bytes, const std::optional<Rev>& rev) {
  return Awaited<PutAnswer>::wait_for([&](auto done) { store.put_if(key, bytes, rev, std::move(done)); });
}

}  // namespace

Catalog::Implementation::Implementation(CatalogOptions options, Clock& clock, Random& random,
                                        std::shared_ptr<Store> store, std::shared_ptr<CodePackages> packages)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      store_(std::move(store)),
      packages_(std::move(packages)),
      directory_(store_, packages_, options_.scope) {}

Result<model::FunctionReference> Catalog::Implementation::parse(const std::string& function,
                                                                const std::string& qualifier,
                                                                model::NameUse use) const {
  return model::parse_function_reference(function, qualifier, options_.scope, use);
}

Error Catalog::Implementation::not_found(const model::FunctionReference& reference) const {
  return {ErrorCode::ResourceNotFoundException, "Function not found: " + reference.qualified_arn()};
}

Error Catalog::Implementation::no_alias(const model::FunctionReference& reference,
                                        const std::string& alias) const {
  return {ErrorCode::ResourceNotFoundException,
          "Cannot find alias arn: " + model::function_arn(options_.scope, reference.name, alias)};
}

Result<Catalog::Implementation::Loaded> Catalog::Implementation::load(
    const model::FunctionReference& reference) {
  auto [status, entity] = get(*store_, function_key(reference.name));
  if (status != StoreStatus::kOk) return store_error();
  if (!entity) return not_found(reference);
  auto record = function_from_bytes(entity->bytes);
  if (!record.ok()) return record.error();
  return Loaded{std::move(*record), std::move(entity->rev)};
}

Result<VersionRecord> Catalog::Implementation::load_version(const FunctionRecord& record,
                                                            const model::FunctionReference& reference,
                                                            const std::string& number) {
  if (model::is_latest(number)) return record.latest;
  const auto body = record.versions.find(number);
  if (body == record.versions.end()) return not_found(reference);
  auto [status, entity] = get(*store_, version_key(record.id, body->second));
  if (status != StoreStatus::kOk) return store_error();
  if (!entity) return not_found(reference);  // deleted since the record was read
  return version_from_bytes(entity->bytes);
}

Result<bool> Catalog::Implementation::commit(const std::string& name, Step& step,
                                             const std::optional<Rev>& rev) {
  std::vector<std::string> written;
  for (const auto& [key, bytes] : step.new_bodies) {
    written.push_back(key);
    if (std::get<0>(put(*store_, key, bytes, std::nullopt)) != StoreStatus::kOk) {
      remove_bodies(written);
      return store_error();
    }
  }
  const std::string key = function_key(name);
  step.record.commit = random_.uuid();
  const std::string bytes = to_bytes(step.record);
  for (int unknown = 0; unknown < kMostUnknownAnswers; ++unknown) {
    StoreStatus status = std::get<0>(put(*store_, key, bytes, rev));
    if (status == StoreStatus::kFailed) {
      remove_bodies(written);
      return store_error();
    }
    if (status == StoreStatus::kUnknown || unknown > 0) {
      // The write may have happened, now or the time before: then the entity carries our mark.
      const auto [read, entity] = get(*store_, key);
      if (read != StoreStatus::kOk) continue;
      if (entity && entity->bytes == bytes) {
        status = StoreStatus::kOk;
      } else if (status == StoreStatus::kUnknown) {
        continue;
      }
    }
    if (status == StoreStatus::kOk) {
      remove_bodies(step.old_bodies);
      return true;
    }
    remove_bodies(written);
    return false;
  }
  // The bodies stay: if the write did happen after all, the function needs them.
  return store_error();
}

void Catalog::Implementation::remove_bodies(const std::vector<std::string>& keys) {
  // A body that stays because of an error here is seen by no one.
  for (const std::string& key : keys) {
    const auto found = get(*store_, key);
    const auto& entity = std::get<1>(found);
    if (std::get<0>(found) != StoreStatus::kOk || !entity) continue;
    // By name and not by a structured binding, which clang 14 does not let a lambda capture.
    Awaited<std::tuple<StoreStatus>>::wait_for(
        [&, &rev = entity->rev](auto done) { store_->remove_if(key, rev, std::move(done)); });
  }
}

Result<void> Catalog::Implementation::check_revision(const std::optional<std::string>& expected,
                                                     const std::string& present) const {
  if (!expected || *expected == present) return {};
  return Error(ErrorCode::PreconditionFailedException,
               "The Revision Id provided does not match the latest Revision Id. Call the "
               "GetFunction/GetAlias API to retrieve "
               "the latest Revision Id");
}

Result<void> Catalog::Implementation::check_settled(const model::FunctionReference& reference,
                                                    const FunctionConfiguration& present) const {
  if (state_of(present) == State::kPending) {
    return Error(ErrorCode::ResourceConflictException,
                 "The operation cannot be performed at this time. The function is currently in the following "
                 "state: Pending");
  }
  if (update_status_of(present) == UpdateStatus::kInProgress) {
    return Error(ErrorCode::ResourceConflictException,
                 "The operation cannot be performed at this time. An update is in progress for resource: " +
                     reference.arn());
  }
  return {};
}

Result<void> Catalog::Implementation::check_storage(std::uint64_t more) const {
  std::uint64_t stored = more;
  for (const auto& function : directory_.all()) {
    stored += function->latest->configuration.code_size;
    for (const auto& [number, version] : function->versions) stored += version->configuration.code_size;
  }
  if (stored <= options_.quotas.stored_code) return {};
  return Error(ErrorCode::CodeStorageExceededException, "Code storage limit exceeded.");
}

Result<void> Catalog::Implementation::check_layers(std::vector<std::string>& layers) const {
  for (std::string& layer : layers) {
    std::error_code error;
    const fs::path folder = fs::canonical(layer, error);
    if (error || !fs::is_directory(folder, error)) {
      return model::invalid_parameter(
          fmt::format("The layer folder '{}' does not exist or is not a folder.", layer));
    }
    layer = folder.string();
  }
  return {};
}

Result<std::shared_ptr<CodePackage>> Catalog::Implementation::make_code(
    const Code& code, const FunctionConfiguration& configuration) {
  switch (code.kind()) {
    case Code::Kind::kDirectory:
      return packages_->from_folder(code.value());
    case Code::Kind::kZip:
      return packages_->from_zip(code.value(), options_.quotas);
    case Code::Kind::kInline: {
      if (code.value().size() > options_.quotas.console_editor) {
        return Error(
            ErrorCode::RequestEntityTooLargeException,
            fmt::format("Inline source must be smaller than {} bytes", options_.quotas.console_editor));
      }
      auto path = model::inline_source_path(configuration.runtime, configuration.handler, code.value());
      if (!path.ok()) return path.error();
      return packages_->from_inline(code.value(), *path);
    }
    case Code::Kind::kNone:
      break;
  }
  return model::invalid_parameter("Please provide a source for function code.");
}

Result<void> Catalog::Implementation::take_code(VersionRecord& version, CodePackage& package) {
  version.code = package.reference();
  version.configuration.code_sha256.clear();
  version.configuration.code_size = 0;
  // A live folder may be large, and is another one tomorrow: its digest is taken when someone asks for it.
  if (package.is_live()) return {};
  auto sha256 = package.sha256();
  if (!sha256.ok()) return sha256.error();
  version.configuration.code_sha256 = std::move(*sha256);
  version.configuration.code_size = version.code.size;
  return check_storage(version.code.size);
}

Error Catalog::Implementation::store_error() const {
  const std::string trouble = store_->trouble();
  return {ErrorCode::ServiceException, trouble.empty()
                                           ? "The catalogue's store does not answer. Try again."
                                           : "The catalogue's store cannot be written: " + trouble};
}

std::string Catalog::Implementation::iso_now() const {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(clock_.wall());
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}+0000",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
}

void Catalog::Implementation::touch(FunctionConfiguration& configuration) {
  configuration.last_modified = iso_now();
  configuration.revision_id = random_.uuid();
}

void Catalog::Implementation::fill_in_live_code(const FunctionRecord& record,
                                                FunctionConfiguration& configuration) {
  if (record.latest.code.form != CodeReference::Form::kLiveFolder) return;
  // The package in view remembers the digest of the folder as it was.
  const auto snapshot = directory_.find(configuration.function_name);
  const bool in_view = snapshot && snapshot->latest->code->reference() == record.latest.code;
  const auto package = in_view ? snapshot->latest->code : packages_->open(record.latest.code);
  if (auto sha256 = package->sha256(); sha256.ok()) configuration.code_sha256 = *sha256;
  if (auto size = package->size(); size.ok()) configuration.code_size = *size;
}

bool Catalog::Implementation::has_version(const FunctionRecord& record, const std::string& version) const {
  return model::is_latest(version) || record.versions.count(version) > 0;
}

}  // namespace lambed::catalog
