// What the tests of the Node.js host share: the one host of this process, and functions written in a line.
#pragma once

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/host_harness.h"

namespace lambed::testing {

// V8 starts once per process, so all tests share a host. Stopped when the last test has ended.
HostHarness& node_host();

using Files = std::vector<std::pair<std::string, std::string>>;

// A function in a folder of its own, opened in an environment. Closed with the object.
class NodeFunction {
 public:
  // `files` are written to the folder; the handler is index.handler unless `spec` says otherwise.
  explicit NodeFunction(Files files, EnvironmentSpec spec = {});
  // The text of index.js.
  explicit NodeFunction(const std::string& script, EnvironmentSpec spec = {});
  ~NodeFunction();
  NodeFunction(const NodeFunction&) = delete;
  NodeFunction& operator=(const NodeFunction&) = delete;

  // What `opened` said.
  const Outcome& opened() const { return opened_; }
  nlohmann::json init_error() const { return nlohmann::json::parse(opened_.payload); }
  const HarnessEnvironment& environment() const { return environment_; }
  // Of its folder, as its handler sees it.
  std::string path() const;

  Outcome run(const std::string& event = "{}") const { return environment_.invoke(event); }
  // Fails the test unless the invocation succeeds.
  nlohmann::json result(const std::string& event = "{}") const;
  // Fails the test unless the invocation ends in a function error.
  nlohmann::json error(const std::string& event = "{}") const;
  std::string log() const { return environment_.log(); }

 private:
  TemporaryFolder folder_;
  HarnessEnvironment environment_;
  Outcome opened_;
};

// Runs `name` ("suite/case") of this program in a process of its own; its exit status, or 128 + the signal that ended it.
int run_alone(const std::string& name);

}  // namespace lambed::testing
