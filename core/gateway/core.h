// A gateway's inside: the catalogue answers what there is, the engine runs it. The public face (gateway.cc) and the REST API
// (api/) are two doors to it.
// Threads: any, as for its two parts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "invocation/engine.h"
#include "lambed/gateway.h"

namespace lambed::gateway {

// Where the catalogue keeps what it knows. Null: in memory.
struct Storage {
  std::shared_ptr<catalog::Store> store;
  std::shared_ptr<catalog::CodePackages> packages;
};

class Core {
 public:
  // `settles_at_once`: see catalog::CatalogOptions.
  Core(const GatewayOptions& options, Storage storage, bool settles_at_once);
  ~Core();  // closes the engine
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  catalog::Catalog& catalog() { return *catalog_; }
  catalog::CodePackages& packages() { return *storage_.packages; }
  invocation::Engine& engine() { return *engine_; }

 private:
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Random> random_;
  const Storage storage_;
  const std::unique_ptr<catalog::Catalog> catalog_;
  const std::shared_ptr<invocation::Engine> engine_;
};

}  // namespace lambed::gateway
