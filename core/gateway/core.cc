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

std::shared_ptr<events::DeadLetterTable> table_of(const Storage& storage, const GatewayOptions& options) {
  if (storage.dead_letters == nullptr) return std::make_shared<events::MemoryDeadLetters>();
  return events::DeadLetterDatabase::table(storage.dead_letters, options.account + "/" + options.region);
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
      dead_letters_(table_of(storage_, options)),
      engine_(invocation::Engine::start(options, catalog_->directory())),
      deliverer_(std::make_unique<events::TargetDeliverer>(
          *clock_, dead_letters_,
          [engine = std::weak_ptr(engine_)](InvokeRequest request, std::function<void(InvokeResult)> done) {
            if (const auto living = engine.lock()) {
              return living->invoke(std::move(request), std::move(done), CallbackThread::kAny);
            }
            InvokeResult closed;
            closed.error.emplace(ErrorCode::GatewayClosed, "The gateway is closed.");
            done(std::move(closed));
          },
          events::AwsSettings::of_process(options.aws_endpoint_url, options.region))) {}

Core::~Core() { engine_->close(); }

}  // namespace lambed::gateway
