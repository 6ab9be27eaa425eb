#include "node_fixture.h"

#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "worker_host/worker_host.h"

namespace lambed::testing {
namespace {

std::string find_plugin() {
  const std::filesystem::path folder = LAMBED_PLUGIN_DIR;
  std::string problem = "there is none in " + folder.string();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("liblambed_host_nodejs-")) continue;
    // Plugins for use inside a node executable do not load here.
    if (dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return entry.path();
    problem = dlerror();
  }
  throw std::runtime_error("no plugin for Node.js: " + problem);
}

bool is_started = false;

// Stopping is part of every run.
struct StopsNode {
  ~StopsNode() {
    if (!is_started) return;
    node_host().quiesce();
    node_host().stop();
  }
};
BOOST_TEST_GLOBAL_FIXTURE(StopsNode);

EnvironmentSpec complete(EnvironmentSpec spec, const std::string& folder) {
  if (spec.runtime.empty()) spec.runtime = "nodejs18.x";
  if (spec.handler.empty()) spec.handler = "index.handler";
  if (spec.task_root.empty()) spec.task_root = folder;
  if (spec.variables.empty()) spec.variables = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  return spec;
}

HarnessEnvironment open_in(const TemporaryFolder& folder, const Files& files, EnvironmentSpec spec) {
  for (const auto& [name, text] : files) folder.write(name, text);
  return node_host().open(complete(std::move(spec), folder.path()));
}

}  // namespace

HostHarness& node_host() {
  static HostHarness& host = is_isolated() ? *new HostHarness(worker_host(), {{"language", "nodejs"}})
                                           : *new HostHarness(find_plugin());
  is_started = true;
  return host;
}

NodeFunction::NodeFunction(Files files, EnvironmentSpec spec)
    : environment_(open_in(folder_, files, std::move(spec))) {
  const auto opened = environment_.wait_opened();
  BOOST_REQUIRE_MESSAGE(opened.has_value(), "the environment was not opened in time");
  opened_ = *opened;
}

NodeFunction::NodeFunction(const std::string& script, EnvironmentSpec spec)
    : NodeFunction(Files{{"index.js", script}}, std::move(spec)) {}

std::string NodeFunction::path() const { return seen_by_handlers(folder_.path()); }

NodeFunction::~NodeFunction() {
  environment_.request_close();
  BOOST_CHECK_MESSAGE(environment_.wait_closed(), "the environment was not closed in time");
}

nlohmann::json NodeFunction::result(const std::string& event) const {
  BOOST_REQUIRE_MESSAGE(opened_.succeeded(), opened_.payload);
  const Outcome outcome = run(event);
  BOOST_REQUIRE_MESSAGE(outcome.succeeded(), "kind " << outcome.kind << ": " << outcome.payload << log());
  return nlohmann::json::parse(outcome.payload);
}

nlohmann::json NodeFunction::error(const std::string& event) const {
  BOOST_REQUIRE_MESSAGE(opened_.succeeded(), opened_.payload);
  const Outcome outcome = run(event);
  BOOST_REQUIRE_MESSAGE(outcome.kind == LAMBED_OUTCOME_FUNCTION_ERROR,
                        "kind " << outcome.kind << ": " << outcome.payload);
  const nlohmann::json document = nlohmann::json::parse(outcome.payload);
  BOOST_TEST(outcome.error_type == document.value("errorType", ""));
  return document;
}

int run_alone(const std::string& name) {
  const std::string filter = "--run_test=" + name;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  char* const arguments[] = {const_cast<char*>(program.c_str()), const_cast<char*>(filter.c_str()), nullptr};
  pid_t child = 0;
  BOOST_REQUIRE(posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) == 0);
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace lambed::testing
