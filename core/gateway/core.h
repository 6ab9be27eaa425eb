// A gateway's inside: the catalogue answers what there is, the engine runs it. The public face (gateway.cc) and the REST API
// (api/) are two doors to it.
// Threads: any, as for its two parts.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "events/dead_letter_table.h"
#include "events/dispatcher.h"
#include "invocation/engine.h"
#include "lambed/gateway.h"

namespace lambed::gateway {

// Where things are kept. Null: in memory.
struct Storage {
  std::shared_ptr<catalog::Store> store;
  std::shared_ptr<catalog::CodePackages> packages;
  std::shared_ptr<events::Queue> events;
  std::shared_ptr<events::DeadLetterDatabase> dead_letters = {};
};

// What the doors add to a gateway. `deliverer` null: each goes where its target is.
struct Extras {
  std::unique_ptr<events::Deliverer> deliverer = {};
  std::function<void(const std::string& function_arn, const InvokeResult&)> on_attempt = {};
};

class Core {
 public:
  // `settles_at_once`: see catalog::CatalogOptions.
  Core(const GatewayOptions& options, Storage storage, bool settles_at_once, Extras extras = {});
  ~Core();  // close()
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  catalog::Catalog& catalog() { return *catalog_; }
  catalog::CodePackages& packages() { return *storage_.packages; }
  invocation::Engine& engine() { return *engine_; }
  // What was sent to lambed:local.
  events::DeadLetterTable& dead_letters() { return *dead_letters_; }
  // Sends the events of those letters again, as they were called; waits until each is accepted or refused. What was a success
  // is left alone, and is a failure where it was named. Of several letters with one request id, one event is sent.
  Result<Redrive> redrive(const DeadLetterSelection& selection);
  events::Dispatcher& events() { return *events_; }
  // Waits for the answer; not on the core loop's thread.
  Result<EventStatus> event_status(const std::string& request_id);

  // Events first, then the engine: see Gateway::close.
  void close();

 private:
  const std::chrono::milliseconds async_close_wait_;
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Random> random_;
  const Storage storage_;
  const std::unique_ptr<catalog::Catalog> catalog_;
  const std::shared_ptr<events::DeadLetterTable> dead_letters_;
  const std::shared_ptr<invocation::Engine> engine_;
  std::shared_ptr<events::Dispatcher> events_;
};

}  // namespace lambed::gateway
