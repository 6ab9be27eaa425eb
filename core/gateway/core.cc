#include "gateway/core.h"

#include <future>

#include "catalog/code_packages.h"
#include "catalog/memory_store.h"
#include "environments/host_registry.h"
#include "events/memory_queue.h"
#include "events/target_deliverer.h"

namespace lambed::gateway {
namespace {

Storage in_memory_unless_given(Storage storage, const GatewayOptions& options,
                               const std::shared_ptr<Random>& random) {
  if (storage.store == nullptr) storage.store = std::make_shared<catalog::MemoryStore>();
  if (storage.packages == nullptr) storage.packages = catalog::CodePackages::in_memory();
  if (storage.events == nullptr) {
    storage.events = std::make_shared<events::MemoryQueue>(
        events::MemoryQueue::Bounds{options.max_waiting_events, options.max_waiting_event_bytes}, random);
  }
  return storage;
}

std::shared_ptr<events::DeadLetterTable> table_of(const Storage& storage, const GatewayOptions& options) {
  if (storage.dead_letters == nullptr) return std::make_shared<events::MemoryDeadLetters>();
  return events::DeadLetterDatabase::table(storage.dead_letters, options.account + "/" + options.region);
}

}  // namespace

Core::Core(const GatewayOptions& options, Storage storage, bool settles_at_once, Extras extras)
    : async_close_wait_(options.async_close_wait),
      clock_(options.clock != nullptr ? options.clock : std::make_shared<SystemClock>()),
      random_(options.random != nullptr ? options.random : std::make_shared<SystemRandom>()),
      storage_(in_memory_unless_given(std::move(storage), options, random_)),
      catalog_(std::make_unique<catalog::Catalog>(
          catalog::CatalogOptions{.quotas = options.quotas,
                                  .scope = {options.region, options.account},
                                  .settles_at_once = settles_at_once,
                                  .other_languages = environments::HostRegistry::instance().languages(),
                                  .networks = model::Networks::of(options.networks).value()},
          *clock_, *random_, storage_.store, storage_.packages)),
      dead_letters_(table_of(storage_, options)),
      engine_(invocation::Engine::start(options, catalog_->directory())) {
  if (extras.deliverer == nullptr) {
    extras.deliverer = std::make_unique<events::TargetDeliverer>(
        *clock_, dead_letters_,
        [engine = std::weak_ptr(engine_)](InvokeRequest request, std::function<void(InvokeResult)> done) {
          if (const auto living = engine.lock()) {
            return living->invoke(std::move(request), std::move(done), CallbackThread::kAny);
          }
          InvokeResult closed;
          closed.error.emplace(ErrorCode::GatewayClosed, "The gateway is closed.");
          done(std::move(closed));
        },
        events::AwsSettings::of_process(options.aws_endpoint_url, options.region));
  }
  events_ = events::Dispatcher::start(engine_, storage_.events, std::move(extras.deliverer),
                                      {.scope = {options.region, options.account},
                                       .retry_base = options.async_retry_base,
                                       .account_concurrency = options.quotas.account_concurrency,
                                       .on_success = options.on_event_success,
                                       .on_failure = options.on_event_failure,
                                       .on_attempt = std::move(extras.on_attempt)});
  engine_->set_event_queue(events_);
}

Core::~Core() { close(); }

void Core::close() {
  if (engine_->is_of_parent()) return;
  if (engine_->loop()->on_loop_thread()) {
    events_->begin_close();
  } else {
    events_->close(async_close_wait_);
  }
  engine_->close();
}

Result<EventStatus> Core::event_status(const std::string& request_id) {
  auto answer = std::make_shared<std::promise<Result<EventStatus>>>();
  std::future<Result<EventStatus>> future = answer->get_future();
  events_->status(request_id, [answer](Result<EventStatus> status) { answer->set_value(std::move(status)); });
  return future.get();
}

}  // namespace lambed::gateway
