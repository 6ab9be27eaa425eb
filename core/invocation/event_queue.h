// Where the engine puts invocations of type Event, and the way back from there. events/ implements it.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "lambed/invoke.h"

namespace lambed::invocation {

// Threads: accept() from any thread.
class EventQueue {
 public:
  virtual ~EventQueue() = default;

  // `request` has been checked, its function exists; `function` and `qualifier` ("" when none was given) are what it names.
  // Answers the request id once the event is as safe as the queue makes it: from then on it will be run at least once, or end in
  // the way that its function's configuration says. `done` runs exactly once, on any thread, and must not block.
  virtual void accept(InvokeRequest request, std::string function, std::string qualifier,
                      std::function<void(Result<std::string>)> done) = 0;
};

}  // namespace lambed::invocation
