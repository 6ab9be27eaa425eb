// The Ruby host of this test process (a process can start Ruby once) and folders with handlers for it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "support/host_harness.h"
#include "worker_host/worker_host.h"

namespace lambed::testing {

// Started at its first use, stopped by the fixture of host_test.cc.
inline HostHarness*& ruby_slot() {
  static HostHarness* host = nullptr;
  return host;
}

inline HostHarness& ruby() {
  HostHarness*& host = ruby_slot();
  if (host == nullptr) {
    host = is_isolated() ? new HostHarness(worker_host(), {{"language", "ruby"}})
                         : new HostHarness(HostHarness::plugin("liblambed_host_ruby.so"));
  }
  return *host;
}

// A folder with `app.rb`, and environments that run it.
class RubyFunction {
 public:
  explicit RubyFunction(const std::string& source) : RubyFunction("function", source) {}
  RubyFunction(const std::string& name, const std::string& source) {
    spec.function_name = name;
    spec.runtime = "ruby3.2";
    spec.handler = "app.handler";
    spec.task_root = folder.path();
    folder.write("app.rb", source);
  }

  HarnessEnvironment begin_open() const { return ruby().open(spec); }
  HarnessEnvironment open() const {
    const HarnessEnvironment environment = begin_open();
    environment.expect_opened();
    return environment;
  }
  // The outcome of an init that is expected to fail.
  Outcome open_failing() const {
    const HarnessEnvironment environment = begin_open();
    const std::optional<Outcome> outcome = environment.wait_opened();
    if (!outcome) throw std::runtime_error("the environment did not answer in time");
    if (!environment.wait_closed()) throw std::runtime_error("the environment did not close in time");
    return *outcome;
  }

  // Of its folder, as its handler sees it; once the host runs.
  std::string path() const { return seen_by_handlers(folder.path()); }

  TemporaryFolder folder;
  EnvironmentSpec spec;
};

// Submits an event and waits until the handler, which begins with `puts 'running'`, is inside its own code: an interrupt that
// comes before would stop it before it has begun.
inline std::uint64_t submit_and_await_start(const HarnessEnvironment& environment) {
  const std::uint64_t token = environment.submit("{}");
  if (!environment.wait_log("running\n")) throw std::runtime_error("the handler did not begin in time");
  return token;
}

// Opens, invokes once, closes.
inline Outcome run_once(const RubyFunction& function, const std::string& event = "{}") {
  const HarnessEnvironment environment = function.open();
  Outcome outcome = environment.invoke(event);
  environment.close();
  return outcome;
}

inline nlohmann::json json_of(const Outcome& outcome) { return nlohmann::json::parse(outcome.payload); }

}  // namespace lambed::testing
