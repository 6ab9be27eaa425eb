#include "gateway/core.h"

#include "catalog/code_packages.h"
#include "catalog/memory_store.h"
#include "environments/host_registry.h"

namespace lambed::gateway {
namespace {

Storage in_memory_unless_given(Storage storage) {
  if (storage.store == nullptr) storage.store = std::make_shared<catalog::MemoryStore>();
  if (storage.packages == nullptr) storage.packages = catalog::CodePackages::in_memory();
  return storage;
}

}  // namespace

Core::Core(const GatewayOptions& options, Storage storage, bool settles_at_once)
    : clock_(options.clock != nullptr ? options.clock : std::make_shared<SystemClock>()),
      random_(options.random != nullptr ? options.random : std::make_shared<SystemRandom>()),
      storage_(in_memory_unless_given(std::move(storage))),
      catalog_(std::make_unique<catalog::Catalog>(
          catalog::CatalogOptions{.quotas = options.quotas,
                                  .scope = {options.region, options.account},
                                  .settles_at_once = settles_at_once,
                                  .other_languages = environments::HostRegistry::instance().languages()},
          *clock_, *random_, storage_.store, storage_.packages)),
      engine_(invocation::Engine::start(options, catalog_->directory())) {}

Core::~Core() { engine_->close(); }

}  // namespace lambed::gateway
