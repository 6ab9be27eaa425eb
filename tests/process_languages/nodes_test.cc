// Functions of Node.js in worker processes that are a `node` of their runtime's version, beside those in libnode.
#include <lambed/gateway.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "environments/process/node_program.h"
#include "memory_groups.h"
#include "support/host_harness.h"
#include "support/slowness.h"

namespace lambed::testing {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

struct Installed {
  std::string runtime, version, path;
};

// Those that lambed has a plugin for.
std::vector<Installed> installed_nodes() {
  std::vector<Installed> found;
  for (const std::string major : {"18", "20", "22", "24"}) {
    const auto node = process::find_node(major);
    if (node.ok()) found.push_back({"nodejs" + major + ".x", node->version, node->path});
  }
  return found;
}

constexpr const char* kHandler = R"(const { execSync } = require('child_process');
const { createHash, randomUUID } = require('crypto');
exports.handler = async (event, context) => {
  if (event.do === 'fail') throw new RangeError('no');
  if (event.do === 'exit') process.exit(3);
  if (event.do === 'kill') process.kill(process.pid, 'SIGKILL');
  if (event.do === 'abort') process.abort();
  if (event.do === 'print') { execSync('echo from a child', { stdio: 'inherit' }); console.log('from %s', 'the handler'); }
  if (event.do === 'child') return execSync(`"${process.execPath}" -p process.version`).toString().trim();
  if (event.do === 'heap') for (const kept = [];;) kept.push(new Array(1000).fill(kept.length));
  while (event.do === 'loop');
  return {
    version: process.version, path: process.execPath, root: process.env.LAMBDA_TASK_ROOT, cwd: process.cwd(),
    id: context.awsRequestId, hash: createHash('sha256').update('a').digest('hex').slice(0, 8), uuid: randomUUID().length,
    heap: require('v8').getHeapStatistics().heap_size_limit, words: process.execArgv.length, up: process.uptime(),
  };
};
)";

struct Served {
  explicit Served(int stock) {
    GatewayOptions options;
    options.log_sink = log;
    options.worker_stock = stock;
    gateway = std::make_unique<Gateway>(options);
  }
  void create(const std::string& name, const std::string& runtime, Code code, int memory_mb = 256,
              int timeout_s = 30) {
    gateway->create_function({.name = name,
                              .runtime = runtime,
                              .handler = "app.handler",
                              .code = std::move(code),
                              .timeout_s = timeout_s * slowness(),
                              .memory_mb = memory_mb,
                              .isolation = Isolation::kProcess});
  }
  InvokeResult call(const std::string& name, const json& event) {
    return gateway->invoke({.function = name, .payload = event.dump(), .log_tail = true});
  }
  std::shared_ptr<MemoryLogSink> log = std::make_shared<MemoryLogSink>();
  std::unique_ptr<Gateway> gateway;
};

std::string error_of(const InvokeResult& result) {
  return json::parse(result.payload).value("errorMessage", "");
}

// Where nothing but RLIMIT_DATA limits a process, V8 meets that limit before its own, and some versions then die of it in their
// own ways.
void expect_death_of_memory(const InvokeResult& gone) {
  const std::string error = error_of(gone);
  const std::string words = "RequestId: " + gone.request_id + " Error: Runtime exited with error: signal: ";
  if (has_memory_groups()) {
    BOOST_TEST(error == words + "killed");
  } else {
    BOOST_TEST(error.starts_with(words), error);
  }
}

BOOST_AUTO_TEST_SUITE(nodes)

BOOST_AUTO_TEST_CASE(each_version_runs_in_its_own_node_side_by_side_in_one_gateway) {
  const std::vector<Installed> nodes = installed_nodes();
  BOOST_TEST_MESSAGE(nodes.size() << " installed nodes beside libnode");
  Served served(2);
  for (const Installed& node : nodes)
    served.create(node.runtime.substr(0, 8), node.runtime, Code::inline_source(kHandler));
  served.create("library", "nodejs18.x", Code::inline_source(kHandler));
  for (int round = 0; round < 2; ++round) {
    for (const Installed& node : nodes) {
      BOOST_TEST_CONTEXT(node.runtime) {
        const InvokeResult result = served.call(node.runtime.substr(0, 8), {{"do", "tell"}});
        BOOST_TEST_REQUIRE(result.ok(), result.payload);
        const json seen = json::parse(result.payload);
        BOOST_TEST(seen["version"] == "v" + node.version, served.log->text());
        BOOST_TEST(seen["cwd"] == seen["root"]);
        BOOST_TEST(seen["id"] == result.request_id);
        BOOST_TEST(seen["hash"] == "ca978112");
        BOOST_TEST(seen["uuid"] == 36);
        BOOST_TEST(seen["words"] == 0);
        BOOST_TEST(served.call(node.runtime.substr(0, 8), {{"do", "child"}}).payload ==
                   "\"v" + node.version + "\"");
      }
    }
    BOOST_TEST(served.call("library", {{"do", "tell"}}).ok());
  }
}

BOOST_AUTO_TEST_CASE(an_installed_node_fails_and_ends_as_on_lambda) {
  for (const Installed& node : installed_nodes()) {
    BOOST_TEST_CONTEXT(node.runtime) {
      Served served(0);
      served.create("f", node.runtime, Code::inline_source(kHandler));
      const auto exited = [&](const char* deed, const std::string& how) {
        const InvokeResult gone = served.call("f", {{"do", deed}});
        BOOST_TEST(error_of(gone) ==
                   "RequestId: " + gone.request_id + " Error: Runtime exited with error: " + how);
      };
      BOOST_TEST(json::parse(served.call("f", {{"do", "fail"}}).payload)["errorType"] == "RangeError");
      BOOST_TEST(served.call("f", {{"do", "print"}}).ok());
      BOOST_TEST(served.log->text().find("from a child") != std::string::npos);
      BOOST_TEST(served.log->text().find("\tINFO\tfrom the handler") != std::string::npos);
      served.create("short", node.runtime, Code::inline_source(kHandler), 256, 2);
      exited("exit", "exit status 3");
      exited("kill", "signal: killed");
      exited("abort", "signal: aborted");
      expect_death_of_memory(served.call("f", {{"do", "heap"}}));
      BOOST_TEST(json::parse(served.call("short", {{"do", "loop"}}).payload)["errorType"] ==
                 "Sandbox.Timedout");
      BOOST_TEST(served.call("short", {{"do", "tell"}}).ok());
    }
  }
}

std::vector<std::string> runtimes_here() {
  std::vector<std::string> runtimes{"nodejs18.x"};
  for (const Installed& node : installed_nodes())
    if (node.runtime != runtimes.front()) runtimes.push_back(node.runtime);
  return runtimes;
}

// Beside the old generation, which is limited, V8 counts the young one.
void expect_heap_of(const json& seen, int memory_mb) {
  const double limit = seen["heap"].get<double>() / 1048576;
  BOOST_TEST(limit >= memory_mb);
  BOOST_TEST(limit < memory_mb + 200);
}

BOOST_AUTO_TEST_CASE(the_heap_has_the_limit_of_the_function) {
  Served served(0);
  for (const std::string& runtime : runtimes_here()) {
    for (const int memory_mb : {256, 1024}) {
      BOOST_TEST_CONTEXT(runtime << ", " << memory_mb << " MB") {
        const std::string name = "f" + std::to_string(memory_mb) + runtime.substr(6, 2);
        served.create(name, runtime, Code::inline_source(kHandler), memory_mb);
        const InvokeResult result = served.call(name, {{"do", "tell"}});
        BOOST_TEST_REQUIRE(result.ok(), result.payload);
        expect_heap_of(json::parse(result.payload), memory_mb);
      }
    }
  }
}

// Its heap was made before anybody knew the function's MemorySize.
BOOST_AUTO_TEST_CASE(a_worker_that_waited_has_the_heap_limit_of_its_function_and_ends_there) {
  for (const std::string& runtime : runtimes_here()) {
    BOOST_TEST_CONTEXT(runtime) {
      Served served(1);
      bool has_waited = false;
      const auto patience = Clock::now() + std::chrono::seconds(30 * slowness());
      for (int round = 0; !has_waited && Clock::now() < patience; ++round) {
        const std::string name = "f" + std::to_string(round);
        served.create(name, runtime, Code::inline_source(kHandler), 192);
        const auto begin = Clock::now();
        const InvokeResult result = served.call(name, {{"do", "tell"}});
        const double took = std::chrono::duration<double>(Clock::now() - begin).count();
        BOOST_TEST_REQUIRE(result.ok(), result.payload);
        const json seen = json::parse(result.payload);
        expect_heap_of(seen, 192);
        BOOST_TEST(seen["cwd"] == seen["root"]);
        // Seccomp and Landlock alone: paths are the machine's, and no worker can wait there.
        if (seen["root"] != "/var/task") return;
        has_waited = seen["up"].get<double>() > took;
        if (has_waited) {
          expect_death_of_memory(served.call(name, {{"do", "heap"}}));
        }
        served.gateway->delete_function(name);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));  // between looks
      }
      BOOST_TEST(has_waited);
    }
  }
}

BOOST_AUTO_TEST_CASE(modules_and_native_addons_load_in_an_installed_node) {
  for (const Installed& node : installed_nodes()) {
    BOOST_TEST_CONTEXT(node.runtime) {
      TemporaryFolder folder;
      folder.write(
          "app.mjs",
          "import { createRequire } from 'node:module';\nimport { readFile } from 'node:fs/promises';\n"
          "import { twice } from './twice.cjs';\nconst addon = "
          "createRequire(import.meta.url)('./counter.node');\n"
          "await readFile(new URL('./app.mjs', import.meta.url));\n"
          "export const handler = async (event) => [twice(event), typeof addon];\n");
      folder.write("twice.cjs", "exports.twice = (x) => 2 * x;\n");
      std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));  // workers are another user
      std::filesystem::copy_file(LAMBED_TEST_PLUGIN_DIR "/counter.node", folder.path() + "/counter.node");
      Served served(0);
      served.create("f", node.runtime, Code::directory(folder.path()));
      const InvokeResult result = served.call("f", 4);
      BOOST_TEST(result.payload == R"([8,"object"])");
    }
  }
}

BOOST_AUTO_TEST_CASE(without_the_node_of_its_version_a_function_gets_libnode_and_the_log_says_so_once) {
  const char* given = std::getenv("PATH");
  const std::string path = given == nullptr ? "/usr/bin:/bin" : given;
  TemporaryFolder empty;
  setenv("PATH", empty.path().c_str(), 1);
  {
    Served served(0);
    served.create("f", "nodejs24.x", Code::inline_source(kHandler));
    served.create("g", "nodejs24.x", Code::inline_source(kHandler));
    const InvokeResult result = served.call("f", {{"do", "tell"}});
    BOOST_TEST_REQUIRE(result.ok(), result.payload);
    BOOST_TEST(served.call("g", {{"do", "tell"}}).ok());
    const std::string version = json::parse(result.payload)["version"].get<std::string>().substr(1);
    const std::string words = "Functions of nodejs24.x run in Node.js " + version;
    const std::string text = served.log->text();
    const std::size_t first = text.find(words);
    BOOST_TEST((version.starts_with("24.") || first != std::string::npos), text);
    BOOST_TEST((first == std::string::npos || text.find(words, first + 1) == std::string::npos));
  }
  setenv("PATH", path.c_str(), 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
