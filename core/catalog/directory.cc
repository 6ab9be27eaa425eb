#include "catalog/directory.h"

#include <algorithm>
#include <atomic>

#include "catalog/code_packages.h"
#include "catalog/record.h"

namespace lambed::catalog {

namespace {

constexpr std::size_t kShards = 64;

std::uint64_t next_snapshot_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// An alias's share of its provisioned environments for each of its versions: the other one gets its weight, rounded down.
int share(int provisioned, const AliasTarget& alias, std::string_view version) {
  const int others = alias.other_version.empty() ? 0 : static_cast<int>(provisioned * alias.other_weight);
  if (version == alias.version) return provisioned - others;
  return version == alias.other_version ? others : 0;
}

}  // namespace

class Directory::View {
 public:
  View(std::shared_ptr<CodePackages> packages, model::Scope scope)
      : packages_(std::move(packages)), scope_(std::move(scope)) {}

  Result<std::shared_ptr<const FunctionVersion>> resolve(std::string_view name, std::string_view qualifier,
                                                         double random01) const {
    const Shard& shard = shard_of(name);
    {
      std::lock_guard lock(shard.mutex);
      if (const auto it = shard.functions.find(name); it != shard.functions.end()) {
        if (const auto* found = pick(*it->second, qualifier, random01)) return *found;
      }
    }
    return Error(ErrorCode::ResourceNotFoundException,
                 "Function not found: " +
                     model::function_arn(scope_, name, qualifier.empty() ? "$LATEST" : qualifier));
  }

  std::shared_ptr<const FunctionSnapshot> find(std::string_view name) const {
    const Shard& shard = shard_of(name);
    std::lock_guard lock(shard.mutex);
    const auto it = shard.functions.find(name);
    return it == shard.functions.end() ? nullptr : it->second;
  }

  std::vector<std::shared_ptr<const FunctionSnapshot>> all() const {
    std::vector<std::shared_ptr<const FunctionSnapshot>> found;
    for (const Shard& shard : shards_) {
      std::lock_guard lock(shard.mutex);
      for (const auto& [name, snapshot] : shard.functions) found.push_back(snapshot);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a->name < b->name; });
    return found;
  }

  void add_listener(Listener listener) {
    std::lock_guard lock(following_);
    listeners_.push_back(std::move(listener));
  }

  void follow(const Store::Change& change) {
    std::lock_guard lock(following_);
    if (change.key.starts_with(kFunctionPrefix)) {
      follow_function(change);
    } else if (change.key.starts_with(kVersionPrefix)) {
      follow_version(change);
    }
  }

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  struct Shard {
    mutable std::mutex mutex;  // guards functions; held for a look-up and the copy of a pointer
    std::unordered_map<std::string, std::shared_ptr<const FunctionSnapshot>, NameHash, std::equal_to<>>
        functions;
  };

  const Shard& shard_of(std::string_view name) const { return shards_[NameHash()(name) % kShards]; }
  Shard& shard_of(std::string_view name) { return shards_[NameHash()(name) % kShards]; }

  static const std::shared_ptr<const FunctionVersion>* find_version(const FunctionSnapshot& function,
                                                                    std::string_view version) {
    if (model::is_latest(version)) return &function.latest;
    const auto it = function.versions.find(version);
    return it == function.versions.end() ? nullptr : &it->second;
  }

  static const std::shared_ptr<const FunctionVersion>* pick(const FunctionSnapshot& function,
                                                            std::string_view qualifier, double random01) {
    if (qualifier.empty()) return &function.latest;
    if (const auto alias = function.aliases.find(qualifier); alias != function.aliases.end()) {
      const AliasTarget& target = alias->second;
      const bool other = !target.other_version.empty() && random01 < target.other_weight;
      return find_version(function, other ? target.other_version : target.version);
    }
    return find_version(function, qualifier);
  }

  // ---- Following the store. Bodies and functions may come in either order: a version whose body has not come yet is not in
  // the view.

  void follow_function(const Store::Change& change) {
    const std::string name = change.key.substr(sizeof kFunctionPrefix - 1);
    if (change.entity) {
      auto record = function_from_bytes(change.entity->bytes);
      if (!record.ok()) return;  // written by something else than a catalogue; what was in view stays
      functions_[name] = std::move(*record);
      show(name);
    } else {
      functions_.erase(name);
      replace(name, nullptr);
    }
  }

  void follow_version(const Store::Change& change) {
    if (!change.entity) {
      bodies_.erase(change.key);
      return;
    }
    auto record = version_from_bytes(change.entity->bytes);
    if (!record.ok()) return;
    const std::string name = record->configuration.function_name;
    bodies_[change.key] = std::move(*record);
    const auto function = functions_.find(name);
    if (function == functions_.end()) return;
    for (const auto& [number, body] : function->second.versions) {
      if (version_key(function->second.id, body) == change.key) return show(name);
    }
  }

  void show(const std::string& name) {
    const FunctionRecord& record = functions_.at(name);
    auto before = find(name);
    if (before && before->id != record.id) {
      // Deleted and made again between two reports: two changes for whoever listens.
      replace(name, nullptr);
      before = nullptr;
    }
    auto snapshot = std::make_shared<FunctionSnapshot>();
    snapshot->name = name;
    snapshot->id = record.id;
    snapshot->arn = model::function_arn(scope_, name);
    snapshot->reserved_concurrency = record.reserved;
    for (const auto& [alias, kept] : record.aliases) {
      AliasTarget target{kept.version, {}, 0.0};
      if (!kept.weights.empty()) std::tie(target.other_version, target.other_weight) = *kept.weights.begin();
      snapshot->aliases.emplace(alias, std::move(target));
    }
    snapshot->event_invoke.insert(record.event_invoke.begin(), record.event_invoke.end());
    snapshot->latest = version_of(record, record.latest, *snapshot, before ? before->latest : nullptr);
    for (const auto& [number, body] : record.versions) {
      const auto it = bodies_.find(version_key(record.id, body));
      if (it == bodies_.end()) continue;
      const auto* earlier = before ? find_version(*before, number) : nullptr;
      snapshot->versions.emplace(number,
                                 version_of(record, it->second, *snapshot, earlier ? *earlier : nullptr));
    }
    replace(name, std::move(snapshot));
  }

  std::shared_ptr<const FunctionVersion> version_of(const FunctionRecord& record, const VersionRecord& kept,
                                                    const FunctionSnapshot& snapshot,
                                                    const std::shared_ptr<const FunctionVersion>& before) {
    auto version = std::make_shared<FunctionVersion>();
    version->function_name = snapshot.name;
    version->function_id = record.id;
    version->version = kept.configuration.version;
    version->arn = snapshot.arn;
    version->configuration = kept.configuration;
    version->reserved_concurrency = record.reserved;
    for (const auto& [qualifier, count] : record.provisioned) {
      if (qualifier == version->version) version->provisioned_concurrency += count;
      if (const auto alias = snapshot.aliases.find(qualifier); alias != snapshot.aliases.end()) {
        version->provisioned_concurrency += share(count, alias->second, version->version);
      }
    }
    const bool same = before && generations_[before->snapshot_id] == kept.generation;
    version->snapshot_id = same ? before->snapshot_id : next_snapshot_id();
    version->code = same ? before->code : packages_->open(kept.code);
    if (!same) {
      if (before) generations_.erase(before->snapshot_id);
      generations_[version->snapshot_id] = kept.generation;
    }
    return version;
  }

  void replace(const std::string& name, std::shared_ptr<const FunctionSnapshot> now) {
    std::shared_ptr<const FunctionSnapshot> before;
    {
      Shard& shard = shard_of(name);
      std::lock_guard lock(shard.mutex);
      if (now) {
        before = std::exchange(shard.functions[name], now);
      } else if (const auto it = shard.functions.find(name); it != shard.functions.end()) {
        before = std::move(it->second);
        shard.functions.erase(it);
      }
    }
    if (!before && !now) return;
    if (before) {
      const auto forget = [&](const FunctionVersion& version) {
        const auto* still = now ? find_version(*now, version.version) : nullptr;
        if (!still || (*still)->snapshot_id != version.snapshot_id) generations_.erase(version.snapshot_id);
      };
      forget(*before->latest);
      for (const auto& [number, version] : before->versions) forget(*version);
    }
    for (const Listener& listener : listeners_) listener(before, now);
  }

  const std::shared_ptr<CodePackages> packages_;
  const model::Scope scope_;
  std::array<Shard, kShards> shards_;

  std::mutex
      following_;  // guards what follows; held while listeners are told, which keeps the changes in order
  std::map<std::string, FunctionRecord> functions_;
  std::map<std::string, VersionRecord> bodies_;
  std::map<std::uint64_t, std::uint64_t> generations_;  // by snapshot_id, of the versions in view
  std::vector<Listener> listeners_;
};

Directory::Directory(std::shared_ptr<Store> store, std::shared_ptr<CodePackages> packages, model::Scope scope)
    : view_(std::make_shared<View>(std::move(packages), std::move(scope))), store_(std::move(store)) {
  watch_ = store_->watch({}, [view = view_](const Store::Change& change) { view->follow(change); });
}

Directory::~Directory() { store_->unwatch(watch_); }

Result<std::shared_ptr<const FunctionVersion>> Directory::resolve(std::string_view name,
                                                                  std::string_view qualifier,
                                                                  double random01) const {
  return view_->resolve(name, qualifier, random01);
}
std::shared_ptr<const FunctionSnapshot> Directory::find(std::string_view name) const {
  return view_->find(name);
}
std::vector<std::shared_ptr<const FunctionSnapshot>> Directory::all() const { return view_->all(); }
void Directory::add_listener(Listener listener) { view_->add_listener(std::move(listener)); }

}  // namespace lambed::catalog
