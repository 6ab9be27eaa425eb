#include "gateway/durable_storage.h"

#include <set>
#include <tuple>
#include <vector>

#include "catalog/awaited.h"
#include "catalog/code_packages.h"
#include "catalog/durable_blobs.h"
#include "catalog/durable_store.h"
#include "events/broken_queue.h"
#include "events/durable_queue.h"
#include "storage/schema.h"

namespace lambed::gateway {
namespace {

// The digests that records name, found without parsing 10,000 of them: "blob":"<64 digits>".
void collect_blobs(const std::string& bytes, std::set<std::string>& blobs) {
  constexpr std::string_view member = "\"blob\":\"";
  constexpr std::size_t digits = 64;
  for (auto at = bytes.find(member); at != std::string::npos; at = bytes.find(member, at + member.size())) {
    std::string digest = bytes.substr(at + member.size(), digits);
    if (digest.size() == digits && digest.find('"') == std::string::npos) blobs.insert(std::move(digest));
  }
}

std::shared_ptr<events::Queue> queue_in(const std::string& path) {
  try {
    return std::make_shared<events::DurableQueue>(storage::open_database(path),
                                                  std::make_shared<SystemRandom>());
  } catch (const storage::Failure& failure) {
    return std::make_shared<events::BrokenQueue>(failure.what());
  }
}

}  // namespace

DurableStorage::DurableStorage(const std::string& folder) : folder_(folder) {
  store_ = std::make_shared<catalog::DurableStore>(storage::open_database(folder_.catalogue()));
  auto blobs = std::make_shared<catalog::DurableBlobs>(storage::open_database(folder_.code()));
  using ListAnswer = std::tuple<catalog::StoreStatus, std::vector<catalog::Entity>>;
  const auto answer =
      catalog::Awaited<ListAnswer>::wait_for([&](auto done) { store_->list({}, std::move(done)); });
  std::set<std::string> used;
  for (const catalog::Entity& entity : std::get<1>(answer)) collect_blobs(entity.bytes, used);
  blobs->keep_only(used);
  storage_.store = store_;
  storage_.dead_letters =
      std::make_shared<events::DeadLetterDatabase>(storage::open_database(folder_.dead_letters()));
  storage_.events = queue_in(folder_.events());
  storage_.packages = catalog::CodePackages::over(blobs, std::make_shared<catalog::PackageRoot>(),
                                                  catalog::CodePackages::BlobLife::kWithPackages);
}

DurableStorage::~DurableStorage() = default;

std::uint64_t DurableStorage::commits() const { return store_->commits(); }

}  // namespace lambed::gateway
