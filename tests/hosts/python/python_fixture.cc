#include "hosts/python/python_fixture.h"

#include <cstdlib>

#include "worker_host/worker_host.h"

namespace lambed::testing {

namespace {

// Closes the host before the process ends: what is left open would show as a crash or a hang here.
struct HostOfProcess {
  ~HostOfProcess() { delete host; }
  HostHarness* host = nullptr;
};
HostOfProcess& holder() {
  static HostOfProcess instance;
  return instance;
}

struct EndsTheHost {
  ~EndsTheHost() {
    delete holder().host;
    holder().host = nullptr;
  }
};
BOOST_TEST_GLOBAL_FIXTURE(EndsTheHost);

}  // namespace

HostHarness& python_host() {
  HostHarness*& host = holder().host;
  if (host == nullptr) {
    Pairs options;
    if (const char* const wanted = std::getenv("LAMBED_TEST_PYTHON"))
      options.emplace_back("interpreter", wanted);
    if (is_isolated()) {
      options.emplace_back("language", "python");
      host = new HostHarness(worker_host(), options);
    } else {
      host = new HostHarness(HostHarness::plugin("liblambed_host_python.so"), options);
    }
    const lambed_host_description description = host->describe();
    BOOST_TEST_MESSAGE(
        "Python " << std::string(description.interpreter_version.data, description.interpreter_version.size)
                  << " from "
                  << std::string(description.interpreter_path.data, description.interpreter_path.size));
  }
  return *host;
}

std::string python_version() {
  const lambed_slice version = python_host().describe().interpreter_version;
  const std::string text(version.data, version.size);
  return text.substr(0, text.rfind('.'));
}

bool python_at_least(int minor) { return std::atoi(python_version().substr(2).c_str()) >= minor; }

PythonFunction::PythonFunction(const std::string& source, EnvironmentSpec wanted)
    : spec(std::move(wanted)), folder_(std::make_shared<TemporaryFolder>()) {
  if (spec.runtime.empty()) spec.runtime = "python3.12";
  if (spec.handler.empty()) spec.handler = "app.handler";
  spec.task_root = folder_->path();
  folder_->write("app.py", source);
}

PythonFunction& PythonFunction::with(const std::string& path, const std::string& text) {
  folder_->write(path, text);
  return *this;
}

std::string PythonFunction::seen_folder() const { return seen_by_handlers(folder()); }

HarnessEnvironment PythonFunction::start() { return python_host().open(spec); }

HarnessEnvironment PythonFunction::open() {
  HarnessEnvironment environment = start();
  environment.expect_opened();
  return environment;
}

nlohmann::json json_of(const Outcome& outcome) {
  BOOST_TEST_REQUIRE(outcome.kind == LAMBED_OUTCOME_SUCCESS, outcome.payload);
  return nlohmann::json::parse(outcome.payload);
}

}  // namespace lambed::testing
