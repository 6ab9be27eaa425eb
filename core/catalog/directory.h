// The local view of the catalogue that invocations read: kept fresh by the store's `watch`, never asking the
// store.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "catalog/function_version.h"
#include "catalog/store.h"
#include "model/reference.h"

namespace lambed::catalog {

class CodePackages;

// Threads: any thread may call any method. `resolve` takes one lock of 64 for the copy of a pointer and
// allocates nothing.
class Directory {
 public:
  // Told after the view has changed: `before` is null for a new function, `now` for a deleted one. Comes from
  // the thread on which the store reports, changes of one function in their order; must not block and may
  // call resolve, not add_listener.
  using Listener = std::function<void(const std::shared_ptr<const FunctionSnapshot>& before,
                                      const std::shared_ptr<const FunctionSnapshot>& now)>;

  // Watches `store` from now until it is destroyed; functions already stored are in view when the constructor
  // returns.
  Directory(std::shared_ptr<Store> store, std::shared_ptr<CodePackages> packages, model::Scope scope);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // The version that an invocation of `name` with `qualifier` ("" = $LATEST) runs. `random01` in [0, 1) picks
  // between the two versions of a weighted alias. ResourceNotFoundException: "Function not found: ARN", the
  // ARN with the qualifier.
  Result<std::shared_ptr<const FunctionVersion>> resolve(std::string_view name, std::string_view qualifier,
                                                         double random01) const;
  // Null when there is no such function.
  std::shared_ptr<const FunctionSnapshot> find(std::string_view name) const;
  // All functions by name.
  std::vector<std::shared_ptr<const FunctionSnapshot>> all() const;

  // Listeners stay until the directory is destroyed. Add them before the first function is created.
  void add_listener(Listener listener);

 private:
  class View;
  std::shared_ptr<View> view_;
  std::shared_ptr<Store> store_;
  std::uint64_t watch_ = 0;
};

}  // namespace lambed::catalog
