// `lambed serve --isolation process`: code that was uploaded runs in sandboxed workers.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/cli/served_program.h"
#include "core/cli/temporary_folder.h"

using namespace lambed::testing;
using nlohmann::json;
namespace http = lambed::http;

namespace {

constexpr char kCurious[] = R"(import os

def handler(event, context):
    if event.get('exit'):
        os._exit(event['exit'])
    if event.get('kill'):
        os.kill(os.getpid(), event['kill'])
    seen = []
    for path in event.get('paths', []):
        try:
            seen += os.listdir(path) if os.path.isdir(path) else [open(path).read()]
        except OSError as error:
            seen.append(error.__class__.__name__)
    return {'pid': os.getpid(), 'uid': os.getuid(), 'seen': seen, 'secret': os.environ.get('LAMBED_TEST_SECRET'),
            'root': os.environ['LAMBDA_TASK_ROOT']}
)";

void create_curious(const ServedProgram& server) {
  const auto made = ask(server.port(), "POST", kFunctions, create_request("curious", kCurious).dump());
  BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
}

struct Secret {
  Secret() { ::setenv("LAMBED_TEST_SECRET", "of the server", 1); }
  ~Secret() { ::unsetenv("LAMBED_TEST_SECRET"); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(program_serve_isolation)

BOOST_AUTO_TEST_CASE(uploaded_code_sees_neither_the_store_nor_the_server) {
  const TemporaryFolder folder;
  const Secret secret;
  const std::string data = folder.path() + "/data";
  ServedProgram server({"--isolation", "process", "--data", data});
  BOOST_TEST(server.process().error_text().find("isolation  process") != std::string::npos,
             server.process().error_text());
  create_curious(server);
  const http::Response answer = server.invoke("curious", json{{"paths", {data, folder.path()}}}.dump());
  BOOST_TEST(answer.status == 200);
  const json seen = json::parse(answer.body);
  BOOST_REQUIRE_MESSAGE(seen.contains("pid"), answer.body);
  BOOST_TEST(seen["pid"] != server.process().pid());
  BOOST_TEST(seen["secret"].is_null());
  for (const json& what : seen["seen"])
    BOOST_TEST((what == "FileNotFoundError" || what == "PermissionError"), what.dump());
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_function_that_ends_its_process_leaves_the_server_and_the_next_call_unharmed) {
  ServedProgram server({"--isolation", "process"});
  create_curious(server);
  for (const auto& [event, message] : std::vector<std::pair<json, std::string>>{
           {{{"exit", 3}}, "Runtime exited with error: exit status 3"},
           {{{"kill", SIGSEGV}}, "Runtime exited with error: signal: segmentation fault"},
           {{{"kill", SIGKILL}}, "Runtime exited with error: signal: killed"}}) {
    const http::Response broken = server.invoke("curious", event.dump());
    BOOST_TEST(broken.status == 200);
    const json document = json::parse(broken.body);
    BOOST_TEST(document.value("errorType", "") == "Runtime.ExitError", broken.body);
    BOOST_TEST(document.value("errorMessage", "").find(message) != std::string::npos, broken.body);
    BOOST_TEST(json::parse(server.invoke("curious").body).contains("pid"));
  }
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(cold_starts_are_served_with_any_stock_of_workers) {
  for (const char* stock : {"0", "1"}) {
    ServedProgram server({"--isolation", "process", "--worker-stock", stock});
    create_curious(server);
    for (int i = 0; i < 3; ++i) {
      // Each call ends its environment, so that the next one is a cold start; from the second on, of a worker that waited.
      const json document = json::parse(server.invoke("curious", json{{"exit", 3}}.dump()).body);
      BOOST_TEST(document.value("errorType", "") == "Runtime.ExitError", document.dump());
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
    }
    BOOST_TEST(json::parse(server.invoke("curious").body).contains("pid"));
    BOOST_TEST(server.end().exit_code == 0);
  }
}

BOOST_AUTO_TEST_CASE(functions_keep_their_isolation_over_a_restart) {
  const TemporaryFolder folder;
  const std::string data = folder.path() + "/data";
  {
    ServedProgram server({"--isolation", "process", "--data", data});
    create_curious(server);
    BOOST_TEST(server.end().exit_code == 0);
  }
  ServedProgram server({"--data", data});
  const json seen = json::parse(server.invoke("curious", json{{"paths", {data}}}.dump()).body);
  BOOST_REQUIRE_MESSAGE(seen.contains("pid"), seen.dump());
  BOOST_TEST(seen["pid"] != server.process().pid());
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
