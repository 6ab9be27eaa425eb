// `lambed serve` and `lambed logs` as their users meet them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "core/cli/served_program.h"
#include "core/cli/temporary_folder.h"
#include "support/text.h"

using namespace lambed::testing;
using nlohmann::json;
namespace http = lambed::http;
using namespace std::chrono_literals;

namespace {

ChildEnd run_lambed(std::vector<std::string> words) {
  words.insert(words.begin(), LAMBED_PROGRAM);
  return run_program(words, {}, kServePatience);
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(program_serve)

BOOST_AUTO_TEST_CASE(it_says_where_it_is_and_what_it_has_and_ends_well) {
  ServedProgram server({});
  const std::string text = server.process().error_text();
  for (const char* part : {"account    123456789012 in us-east-1", "runtimes   ", "python",
                           "isolation  process", "in memory", "curl ", "aws --endpoint-url"}) {
    BOOST_TEST(says(text, part), part << " in " << text);
  }
  BOOST_TEST(ask(server.port(), "GET", "/health").status == 200);
  const ChildEnd end = server.end();
  BOOST_TEST(end.exit_code == 0);
  BOOST_TEST(says(end.err, "ending"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_in_words) {
  const struct {
    std::vector<std::string> words;
    const char* said;
  } cases[] = {
      {{"serve", "--listen", "0.0.0.0:0"}, "only this machine's own addresses"},
      {{"serve", "--listen", "192.0.2.1:9001"}, "only this machine's own addresses"},
      {{"serve", "--listen", "nowhere"}, "write it as ADDRESS:PORT"},
      {{"serve", "--listen", "127.0.0.1:99999"}, "write it as ADDRESS:PORT"},
      {{"serve", "--isolation", "box"}, "--isolation"},
      {{"serve", "--isolation", "in_process", "--require-isolation", "strict"},
       "goes with --isolation process"},
      {{"serve", "--aws-endpoint-url", "127.0.0.1:5000"}, "write it as http://HOST:PORT"},
      {{"dlq"}, "A subcommand is required"},
      {{"dlq", "purge"}, "say which dead letters"},
      {{"dlq", "redrive", "1", "--all"}, "say which dead letters"},
      {{"dlq", "show"}, "ID is required"},
      {{"dlq", "list", "--limit", "0"}, "--limit"},
      {{"dlq", "list", "--server", "127.0.0.1:1"}, "does `lambed serve` run there?"},
      {{"serve", "--account", "12"}, "an account is 12 digits"},
      {{"serve", "--data", "/proc/nothing"}, "--data /proc/nothing"},
      {{"serve", "--functions", "/nowhere"}, "there is no such folder"},
      {{"serve", "--auth", "sigv4"}, "--auth"},
      {{"logs", "f", "--server", "127.0.0.1:1"}, "does `lambed serve` run there?"},
      {{"logs", "f", "--since", "soon"}, "write it as 90s, 5m, 2h or 1d"},
  };
  for (const auto& c : cases) {
    const ChildEnd end = run_lambed(c.words);
    BOOST_TEST(end.exit_code == 2, c.said << ": " << end.err);
    BOOST_TEST(says(end.err, c.said), c.said << " in " << end.err);
  }
}

BOOST_AUTO_TEST_CASE(a_port_or_a_folder_is_one_servers) {
  const TemporaryFolder folder;
  ServedProgram first({"--data", folder.path() + "/data"});
  const ChildEnd second = run_lambed({"serve", "--listen", "127.0.0.1:0", "--data", folder.path() + "/data"});
  BOOST_TEST(second.exit_code == 2);
  BOOST_TEST(says(second.err, "another server uses this folder"), second.err);
  const ChildEnd same_port = run_lambed({"serve", "--listen", first.address()});
  BOOST_TEST(same_port.exit_code == 2);
  BOOST_TEST(says(same_port.err, "cannot listen on"), same_port.err);
  BOOST_TEST(first.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(functions_outlive_the_server_with_their_code) {
  const TemporaryFolder folder;
  std::string revision;
  {
    ServedProgram server({"--data", folder.path() + "/data"});
    const auto made = ask(server.port(), "POST", kFunctions,
                          create_request("f", "def handler(e, c): return 'kept'\n").dump());
    BOOST_TEST(made.status == 201, made.body);
    BOOST_TEST(server.invoke("f").body == "\"kept\"");
    BOOST_TEST(server.end().exit_code == 0);
  }
  ServedProgram server({"--data", folder.path() + "/data"});
  BOOST_TEST(server.invoke("f").body == "\"kept\"");
  const json whole = json::parse(ask(server.port(), "GET", std::string(kFunctions) + "/f").body);
  BOOST_TEST(whole.at("Configuration").at("State") == "Active");
  // Code.Location gives the very zip back.
  const std::string location = whole.at("Code").at("Location");
  const auto code = ask(server.port(), "GET", location.substr(location.find("/_lambed")));
  BOOST_TEST((code.body == lambed::test::good_zip("def handler(e, c): return 'kept'\n")));
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(folders_are_functions_and_are_loaded_anew) {
  const TemporaryFolder folder;
  folder.file("one/lambda_function.py", "def lambda_handler(event, context): return 1\n");
  folder.file("broken/readme.txt", "no function\n");
  // Asked many times: its functions' logs would fill the pipe that nobody reads meanwhile.
  ServedProgram server({"--functions", folder.path(), "--quiet"});
  BOOST_TEST(says(server.process().error_text(), "functions  1 from "));
  BOOST_TEST(says(server.process().error_text(), "broken is not loaded: "));
  BOOST_TEST(server.invoke("one").body == "1");
  folder.file("one/lambda_function.py", "def lambda_handler(event, context): return 'changed'\n");
  BOOST_TEST(eventually([&] { return server.invoke("one").body == "\"changed\""; }));
  folder.file("two/app.py", "def handler(event, context): return 2\n");
  BOOST_TEST(eventually([&] { return server.invoke("two").body == "2"; }));
  std::filesystem::remove_all(folder.path() + "/one");
  BOOST_TEST(eventually([&] { return server.invoke("one").status == 404; }));
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(logs_are_shown_and_followed) {
  const TemporaryFolder folder;
  folder.file("f/lambda_function.py", "def lambda_handler(event, context): print('line', event['n'])\n");
  ServedProgram server({"--functions", folder.path(), "--quiet"});
  BOOST_TEST(server.invoke("f", R"({"n":1})").status == 200);
  const ChildEnd shown = run_lambed({"logs", "f", "--server", server.address()});
  BOOST_TEST(shown.exit_code == 0);
  BOOST_TEST(says(shown.out, "line 1\n"), shown.out);
  BOOST_TEST(says(shown.out, "REPORT RequestId: "));
  const ChildEnd unknown = run_lambed({"logs", "g", "--server", server.address()});
  BOOST_TEST(unknown.exit_code == 2);
  BOOST_TEST(says(unknown.err, "Function not found: g"), unknown.err);

  // Followed until the server ends: standard output has then what came meanwhile.
  ChildProcess follower({LAMBED_PROGRAM, "logs", "f", "--follow", "--server", server.address()});
  // What it has shown says that it is there; the number of connections does not, for those before it may be open still.
  BOOST_TEST(follower.wait_for_output_text("line 1\n", kServePatience));
  BOOST_TEST(server.invoke("f", R"({"n":2})").status == 200);
  const ChildEnd ended = server.end();
  BOOST_TEST(ended.exit_code == 0);
  BOOST_TEST(!says(ended.err, "line 2"));
  const ChildEnd followed = follower.wait(kServePatience);
  BOOST_TEST(followed.exit_code == 0, followed.err);
  BOOST_TEST(says(followed.out, "line 1\n"));
  BOOST_TEST(says(followed.out, "line 2\n"));
}

BOOST_AUTO_TEST_CASE(a_request_under_way_is_answered_before_the_end) {
  const TemporaryFolder folder;
  folder.file("slow/lambda_function.py",
              "import time\ndef lambda_handler(event, context):\n    print('begun', flush=True)\n    "
              "time.sleep(1)\n    return 'done'\n");
  ServedProgram server({"--functions", folder.path()});
  std::string answer;
  std::thread client([&] { answer = server.invoke("slow").body; });
  BOOST_TEST(server.process().wait_for_error_text("begun\n", kServePatience));
  BOOST_TEST(server.end().exit_code == 0);
  client.join();
  BOOST_TEST(answer == "\"done\"");
}

BOOST_AUTO_TEST_CASE(strict_runtimes_refuses_what_is_not_installed) {
  ServedProgram server({"--strict-runtimes"});
  json request = create_request("f", "def handler(e, c): return 1\n");
  request["Runtime"] = "ruby2.7";  // AWS has retired it long ago; no machine has it
  const auto refused = ask(server.port(), "POST", kFunctions, request.dump());
  BOOST_TEST(refused.status == 400);
  BOOST_TEST(says(refused.body, "The runtime ruby2.7 is not installed"), refused.body);
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(the_access_log_has_a_line_for_each_request) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/access.json";
  ServedProgram server({"--access-log", path});
  ask(server.port(), "GET", std::string(kFunctions) + "/nope");
  BOOST_TEST(server.end().exit_code == 0);
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const json entry = json::parse(line);
  BOOST_TEST(entry.at("operation") == "GetFunction");
  BOOST_TEST(entry.at("status") == 404);
  BOOST_TEST(entry.at("error") == "ResourceNotFoundException");
  BOOST_TEST(entry.at("requestId").get<std::string>().size() == 36u);
}

// The kernel is asked to end the server at any moment, many times: what was acknowledged is there at the next start.
BOOST_AUTO_TEST_CASE(kill_9_loses_nothing_that_was_acknowledged) {
  const char* is_long = std::getenv("LAMBED_TEST_LONG");
  const int rounds = is_long != nullptr && std::string(is_long) == "yes" ? 200 : 30;
  const TemporaryFolder folder;
  const std::uint16_t port = free_port();
  std::mt19937 random(5);
  std::mutex mutex;
  std::map<std::string, std::set<std::string>> allowed;  // description of each function; "": there is none
  int acknowledged = 0;

  const auto start = [&] {
    auto server = std::make_unique<ChildProcess>(
        std::vector<std::string>{LAMBED_PROGRAM, "serve", "--data", folder.path() + "/data", "--listen",
                                 "127.0.0.1:" + std::to_string(port), "--quiet"});
    BOOST_REQUIRE(eventually([&] {
      try {
        return ask(port, "GET", "/health").status == 200;
      } catch (const std::exception&) {
        return false;
      }
    }));
    return server;
  };
  for (int round = 0; round < rounds; ++round) {
    auto server = start();
    for (auto& [name, descriptions] : allowed) {
      const auto found = ask(port, "GET", std::string(kFunctions) + "/" + name + "/configuration");
      std::string now;
      if (found.status == 200) now = json::parse(found.body).at("Description");
      BOOST_TEST(descriptions.count(now) == 1u, name << " is '" << now << "'");
      descriptions = {now};
      if (found.status == 200) BOOST_TEST(says(found.body, "\"State\":\"Active\""), found.body);
    }
    std::vector<std::thread> clients;
    for (int t = 0; t < 3; ++t) {
      clients.emplace_back([&, t, seed = random()] {
        std::mt19937 mine(seed);
        try {
          for (int i = 0;; ++i) {
            const std::string name = "f" + std::to_string(t) + std::to_string(mine() % 3);
            const std::string description = std::to_string(round) + "." + std::to_string(i);
            std::string present;
            {
              std::lock_guard lock(mutex);
              auto& descriptions = allowed[name];
              if (descriptions.empty()) descriptions.insert("");
              present = *descriptions.begin();
            }
            const bool removes = !present.empty() && mine() % 5 == 0;
            const std::string wanted = removes ? "" : description;
            {
              std::lock_guard lock(mutex);
              allowed[name].insert(wanted);
            }
            http::Response answer;
            if (removes) {
              answer = ask(port, "DELETE", std::string(kFunctions) + "/" + name);
            } else if (present.empty()) {
              json request = create_request(name, "# " + description + "\n");
              request["Description"] = description;
              answer = ask(port, "POST", kFunctions, request.dump());
            } else {
              answer = ask(port, "PUT", std::string(kFunctions) + "/" + name + "/configuration",
                           json{{"Description", description}}.dump());
            }
            std::lock_guard lock(mutex);
            if (answer.status / 100 == 2) {
              allowed[name] = {wanted};
              ++acknowledged;
            } else {
              allowed[name] = {present};  // 409: an update is in progress
            }
          }
        } catch (const std::exception&) {
          // the server is gone
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 300));
    server->send_signal(SIGKILL);
    for (std::thread& client : clients) client.join();
    BOOST_TEST(server->wait(kServePatience).signal == SIGKILL);
  }
  BOOST_TEST(acknowledged > rounds);
  start();
}

BOOST_AUTO_TEST_SUITE_END()
