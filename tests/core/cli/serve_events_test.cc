// Asynchronous invocations of `lambed serve --data`: through restarts, kills and a damaged file.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "core/cli/served_program.h"
#include "core/cli/temporary_folder.h"

using namespace lambed::testing;
using nlohmann::json;
namespace http = lambed::http;
using namespace std::chrono_literals;

namespace {

class Server : public ServedProgram {
 public:
  explicit Server(const std::string& data, std::vector<std::string> more = {})
      : ServedProgram(words_of(data, std::move(more))) {}

  void create(const std::string& name, const std::string& source) const {
    json request = create_request(name, source);
    request["Timeout"] = 30;
    const http::Response made = ask(port(), "POST", kFunctions, request.dump());
    BOOST_REQUIRE_MESSAGE(made.status == 201, made.body);
    BOOST_REQUIRE(eventually([&] {
      const std::string target = std::string(kFunctions) + "/" + name + "/configuration";
      return json::parse(ask(port(), "GET", target).body)["State"] == "Active";
    }));
  }
  http::Response send(const std::string& name, const std::string& event) const {
    return invoke(name, event, "Event");
  }
  json status(const std::string& id) const {
    return json::parse(ask(port(), "GET", "/_lambed/events/" + id).body);
  }
  long waiting() const {
    const std::string text = ask(port(), "GET", "/metrics").body;
    const std::string name = "\nlambed_async_events_waiting ";
    const auto at = text.find(name);
    return at == std::string::npos ? -1 : std::stol(text.substr(at + name.size()));
  }

 private:
  static std::vector<std::string> words_of(const std::string& data, std::vector<std::string> more) {
    // Its functions tell this test by files what they have done.
    more.insert(more.begin(), {"--quiet", "--isolation", "in_process", "--data", data});
    return more;
  }
};

std::string id_of(const http::Response& response) {
  for (const http::Header& header : response.headers) {
    if (header.name == "x-amzn-RequestId") return header.value;
  }
  return {};
}

bool is_long() {
  const char* text = std::getenv("LAMBED_TEST_LONG");
  return text != nullptr && std::string(text) == "yes";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cli_serve_events)

BOOST_AUTO_TEST_CASE(an_event_that_fails_is_kept_through_a_restart_and_tried_again) {
  const TemporaryFolder folder;
  const std::string data = folder.path() + "/data", flag = folder.path() + "/flag";
  const std::string source = "import os\ndef handler(event, context):\n    if not os.path.exists('" + flag +
                             "'): raise KeyError('not yet')\n";
  std::string id;
  {
    Server server(data, {"--async-retry-base", "700ms"});
    server.create("f", source);
    const http::Response accepted = server.send("f", "{}");
    BOOST_TEST(accepted.status == 202);
    BOOST_TEST(accepted.body == "");
    id = id_of(accepted);
    BOOST_REQUIRE(eventually([&] { return server.status(id)["state"] == "Retrying"; }));
    BOOST_TEST(server.end().exit_code == 0);
  }
  folder.file("flag", "");
  Server server(data, {"--async-retry-base", "700ms"});
  BOOST_REQUIRE(eventually([&] { return server.status(id)["state"] == "Succeeded"; }));
  BOOST_TEST(server.status(id)["attempts"].get<int>() >= 2);
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(a_damaged_queue_refuses_events_and_everything_else_is_served) {
  const TemporaryFolder folder;
  const std::string data = folder.path() + "/data";
  {
    Server server(data);
    server.create("f", "def handler(event, context): return event\n");
    BOOST_TEST(server.end().exit_code == 0);
  }
  std::ofstream(data + "/events.db", std::ios::trunc) << std::string(8192, 'x');
  Server server(data);
  BOOST_TEST(server.process().error_text().find(
                 "asynchronous invocations are refused, everything else is served") != std::string::npos);
  BOOST_TEST(server.invoke("f").status == 200);
  const http::Response refused = server.send("f", "{}");
  BOOST_TEST(refused.status == 500);
  BOOST_TEST(refused.body.find("The event was not stored: ") != std::string::npos, refused.body);
  const http::Response health = ask(server.port(), "GET", "/health");
  BOOST_TEST(health.status == 503);
  BOOST_TEST(json::parse(health.body)["events"].get<std::string>().find("events.db") != std::string::npos);
  BOOST_TEST(server.end().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(the_time_until_a_retry_is_read_or_refused_in_words) {
  for (const char* wrong : {"x", "60h", "-1s", "", "999999999"}) {
    const ChildEnd end =
        run_program({LAMBED_PROGRAM, "serve", "--listen", "127.0.0.1:0", "--async-retry-base", wrong}, {},
                    kServePatience);
    BOOST_TEST(end.exit_code == 2, wrong);
    BOOST_TEST(end.err.find("--async-retry-base") != std::string::npos, end.err);
  }
}

// Handlers write down each event with the process that ran it. What was acknowledged has run; what ran twice did so in different
// processes: the first was killed between the handler's end and the commit that says so.
BOOST_AUTO_TEST_CASE(no_kill_loses_an_event_that_was_acknowledged) {
  const TemporaryFolder folder;
  const std::string data = folder.path() + "/data", diary = folder.path() + "/diary";
  const std::string source =
      "import os\n"
      "diary = os.open('" +
      diary +
      "', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
      "def handler(event, context):\n"
      "    os.write(diary, f'{event[\"id\"]} {os.getpid()}\\n'.encode())\n";
  const int rounds = is_long() ? 100 : 8;
  std::mt19937 random(7);
  std::mutex mutex;
  std::set<std::string> acknowledged;
  {
    Server server(data);
    server.create("f", source);
    server.create("g", source);
    BOOST_TEST(server.end().exit_code == 0);
  }
  for (int round = 0; round < rounds; ++round) {
    Server server(data);
    std::vector<std::thread> clients;
    for (int client = 0; client < 3; ++client) {
      clients.emplace_back([&, client] {
        try {
          for (int i = 0;; ++i) {
            const std::string id =
                std::to_string(round) + "-" + std::to_string(client) + "-" + std::to_string(i);
            const http::Response answer = server.send(i % 2 == 0 ? "f" : "g", json{{"id", id}}.dump());
            if (answer.status != 202) continue;
            std::lock_guard lock(mutex);
            acknowledged.insert(id);
          }
        } catch (const std::exception&) {
          // the server is gone
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 400));
    server.process().send_signal(SIGKILL);
    for (std::thread& client : clients) client.join();
    BOOST_TEST(server.process().wait(kServePatience).signal == SIGKILL);
  }
  Server server(data);
  BOOST_TEST(eventually([&] { return server.waiting() == 0; }));
  BOOST_TEST(server.end().exit_code == 0);

  std::map<std::string, std::multiset<std::string>> runs;
  std::ifstream lines(diary);
  for (std::string id, pid; lines >> id >> pid;) runs[id].insert(pid);
  int lost = 0, twice = 0, unexplained = 0;
  for (const std::string& id : acknowledged) lost += runs.count(id) == 0 ? 1 : 0;
  for (const auto& [id, pids] : runs) {
    if (pids.size() == 1) continue;
    ++twice;
    if (std::set<std::string>(pids.begin(), pids.end()).size() != pids.size()) ++unexplained;
  }
  BOOST_TEST_MESSAGE(rounds << " kills: " << acknowledged.size() << " events acknowledged, " << runs.size()
                            << " run, " << twice << " of them more than once");
  BOOST_TEST(lost == 0);
  BOOST_TEST(unexplained == 0);
  BOOST_TEST(acknowledged.size() > static_cast<std::size_t>(rounds));
}

BOOST_AUTO_TEST_SUITE_END()
