// The three languages in worker processes: that each answers, logs, fails and ends there as on Lambda. Their hosts' own tests are
// elsewhere; this is the way through the gateway.
#include <lambed/gateway.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "memory_groups.h"
#include "support/slowness.h"

namespace lambed::testing {
namespace {

using nlohmann::json;

struct LanguageCase {
  const char* runtime;
  const char* source;
};

// Each handler: {"do": "echo" | "fail" | "exit" | "loop" | "print"}.
constexpr LanguageCase kCases[] = {{"python3.11", R"(import os, sys
def handler(event, context):
    if event["do"] == "fail": raise ValueError("no")
    if event["do"] == "exit": os._exit(3)
    if event["do"] == "kill": os.kill(os.getpid(), 9)
    if event["do"] == "print": os.system("echo from a child"); print("from the handler")
    while event["do"] == "loop": pass
    return {"pid": os.getpid(), "root": os.environ["LAMBDA_TASK_ROOT"], "cwd": os.getcwd(), "id": context.aws_request_id}
)"},
                                   {"nodejs18.x", R"(const { execSync } = require('child_process');
exports.handler = async (event, context) => {
  if (event.do === 'fail') throw new RangeError('no');
  if (event.do === 'exit') process.exit(3);
  if (event.do === 'kill') process.kill(process.pid, 'SIGKILL');
  if (event.do === 'print') { execSync('echo from a child', { stdio: 'inherit' }); console.log('from the handler'); }
  while (event.do === 'loop');
  return { pid: process.pid, root: process.env.LAMBDA_TASK_ROOT, cwd: process.cwd(), id: context.awsRequestId };
};
)"},
                                   {"ruby3.2", R"(def handler(event:, context:)
  raise ArgumentError, 'no' if event['do'] == 'fail'
  exit!(3) if event['do'] == 'exit'
  Process.kill(9, Process.pid) if event['do'] == 'kill'
  if event['do'] == 'print'
    system('echo from a child')
    puts 'from the handler'
  end
  loop {} if event['do'] == 'loop'
  { pid: Process.pid, root: ENV['LAMBDA_TASK_ROOT'], cwd: Dir.pwd, id: context.aws_request_id }
end
)"}};

BOOST_AUTO_TEST_SUITE(languages)

BOOST_AUTO_TEST_CASE(each_language_serves_fails_and_ends_in_a_worker_as_on_lambda) {
  for (const LanguageCase& language : kCases) {
    BOOST_TEST_CONTEXT(language.runtime) {
      const auto log = std::make_shared<MemoryLogSink>();
      GatewayOptions options;
      options.log_sink = log;
      Gateway gateway(options);
      gateway.create_function({.name = "f",
                               .runtime = language.runtime,
                               .handler = "app.handler",
                               .code = Code::inline_source(language.source),
                               .timeout_s = 2 * slowness(),
                               .memory_mb = 256,
                               .isolation = Isolation::kProcess});
      const auto call = [&](const char* deed) {
        // With the tail, so that what children print is waited for.
        return gateway.invoke({.function = "f", .payload = json{{"do", deed}}.dump(), .log_tail = true});
      };
      const InvokeResult echo = call("echo");
      BOOST_TEST_REQUIRE(echo.ok(), echo.payload);
      const json seen = json::parse(echo.payload);
      BOOST_TEST(seen["id"] == echo.request_id);
      BOOST_TEST(seen["cwd"] == seen["root"]);
      BOOST_TEST(echo.report.max_memory_used_mb > 0);
      BOOST_TEST(json::parse(call("echo").payload)["pid"] == seen["pid"]);  // the same environment

      const std::string error = json::parse(call("fail").payload)["errorType"];
      BOOST_TEST((error == "ValueError" || error == "RangeError" || error == "Function<ArgumentError>"),
                 error);
      BOOST_TEST(call("print").ok());
      BOOST_TEST(log->text().find("from a child") != std::string::npos);
      BOOST_TEST(log->text().find("from the handler") != std::string::npos);

      const InvokeResult gone = call("exit");
      BOOST_TEST(json::parse(gone.payload)["errorMessage"] ==
                 "RequestId: " + gone.request_id + " Error: Runtime exited with error: exit status 3");
      const InvokeResult killed = call("kill");
      BOOST_TEST(json::parse(killed.payload)["errorMessage"] ==
                 "RequestId: " + killed.request_id + " Error: Runtime exited with error: signal: killed");
      BOOST_TEST(json::parse(call("loop").payload)["errorType"] == "Sandbox.Timedout");
      BOOST_TEST(call("echo").ok());
      BOOST_TEST(gateway.status().abandoned == 0);
    }
  }
}

// What pyenv has installed, by version: "3.12" -> the folder with python3.12. Those without a libpython cannot be embedded.
std::map<std::string, std::string> pythons_of_pyenv() {
  namespace fs = std::filesystem;
  const char* root = std::getenv("PYENV_ROOT");
  const char* home = std::getenv("HOME");
  const fs::path versions =
      (root != nullptr ? fs::path(root) : fs::path(home == nullptr ? "" : home) / ".pyenv") / "versions";
  std::map<std::string, std::string> found;
  std::error_code ignored;
  for (const auto& installed : fs::directory_iterator(versions, ignored)) {
    for (const std::string version : {"3.12", "3.13"}) {
      if (fs::exists(installed.path() / "bin" / ("python" + version), ignored) &&
          fs::exists(installed.path() / "lib" / ("libpython" + version + ".so.1.0"), ignored))
        found.emplace(version, installed.path() / "bin");
    }
  }
  return found;
}

BOOST_AUTO_TEST_CASE(versions_of_python_run_side_by_side_in_one_gateway) {
  std::vector<std::string> versions{"3.11"};
  std::string path = std::getenv("PATH") == nullptr ? "/usr/bin:/bin" : std::getenv("PATH");
  for (const auto& [version, folder] : pythons_of_pyenv()) {
    versions.push_back(version);
    path = folder + ":" + path;  // before what chooses among versions by itself
  }
  setenv("PATH", path.c_str(), 1);
  BOOST_TEST_MESSAGE(versions.size() << " versions");
  GatewayOptions options;
  options.log_sink = std::make_shared<MemoryLogSink>();
  Gateway gateway(options);
  for (const std::string& version : versions) {
    gateway.create_function(
        {.name = "f" + version.substr(2),
         .runtime = "python" + version,
         .handler = "app.handler",
         .code = Code::inline_source("import ssl, sqlite3, sys\ndef handler(event, context):\n"
                                     "    return '%d.%d' % sys.version_info[:2]\n"),
         .isolation = Isolation::kProcess});
  }
  for (int round = 0; round < 2; ++round) {
    for (const std::string& version : versions) {
      const InvokeResult result = gateway.invoke({.function = "f" + version.substr(2), .payload = "{}"});
      BOOST_TEST(result.payload == "\"" + version + "\"");
    }
  }
}

BOOST_AUTO_TEST_CASE(memory_beyond_the_limit_ends_the_environment_with_lambdas_error) {
  GatewayOptions options;
  options.log_sink = std::make_shared<MemoryLogSink>();
  Gateway gateway(options);
  // At this size's share of an emulated processor a page at a time would take minutes: the kernel fills them all at once.
  const char* const source = slowness() == 1
                                 ? "def handler(event, context):\n"
                                   "    return len(bytearray(b'x') * (event * 1000000))\n"
                                 : "import mmap\n"
                                   "def handler(event, context):\n"
                                   "    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE\n"
                                   "    return len(mmap.mmap(-1, event * 1000000, flags=flags))\n";
  gateway.create_function({.name = "f",
                           .runtime = "python3.11",
                           .handler = "app.handler",
                           .code = Code::inline_source(source),
                           .timeout_s = 20 * slowness(),
                           .memory_mb = 128,
                           .isolation = Isolation::kProcess});
  BOOST_TEST(gateway.invoke({.function = "f", .payload = "10"}).ok());
  const InvokeResult result = gateway.invoke({.function = "f", .payload = "400"});
  const json document = json::parse(result.payload);
  if (document["errorType"] == "MemoryError" || document["errorType"] == "OSError") {
    // Without control groups one process is refused what goes beyond; the whole tree would be ended.
    BOOST_TEST(!has_memory_groups());
  } else {
    BOOST_TEST(document["errorType"] == "Runtime.ExitError");
    BOOST_TEST(document["errorMessage"] ==
               "RequestId: " + result.request_id + " Error: Runtime exited with error: signal: killed");
    BOOST_TEST(result.report.max_memory_used_mb >= 100);
  }
  BOOST_TEST(gateway.invoke({.function = "f", .payload = "10"}).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
