// Functions written in Python, run by the plugin alone. One host serves all tests of the process: it can be started once.
#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "support/host_harness.h"

namespace lambed::testing {

// The host of this process, started at the first call: with the interpreter LAMBED_TEST_PYTHON, or as the host chooses; in
// worker processes when LAMBED_TEST_ISOLATION is `process`.
HostHarness& python_host();
// "3.12"
std::string python_version();
bool python_at_least(int minor);

// A function whose code is `app.py` with this source, unless `spec.handler` says otherwise.
class PythonFunction {
 public:
  explicit PythonFunction(const std::string& source, EnvironmentSpec spec = {});
  // More files of the function, before `open`.
  PythonFunction& with(const std::string& path, const std::string& text);
  // Opens an environment and waits for its init, which must succeed.
  HarnessEnvironment open();
  // Opens an environment without waiting.
  HarnessEnvironment start();
  const std::string& folder() const { return folder_->path(); }
  // The same as its handler sees it. After open or start.
  std::string seen_folder() const;
  EnvironmentSpec spec;

 private:
  std::shared_ptr<TemporaryFolder> folder_;
};

nlohmann::json json_of(const Outcome& outcome);

}  // namespace lambed::testing
