// Clients that are slow, silent, greedy, broken or many: good ones are served on.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/http/serving.h"

using namespace lambed;
using namespace lambed::testing;

namespace {

http::ServerOptions hasty() {
  http::ServerOptions options;
  options.head_timeout = 300ms;
  options.body_pause = 300ms;
  options.body_timeout = 1s;
  options.idle_timeout = 300ms;
  options.write_pause = 500ms;
  options.linger = 300ms;
  return options;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_hostile)

BOOST_AUTO_TEST_CASE(a_head_that_comes_too_slowly_is_answered_408) {
  Serving serving(hasty());
  http::Client client = serving.client();
  client.write("GET / HTT");
  const http::Response answer = client.read();
  BOOST_TEST(answer.status == 408);
  BOOST_TEST(client.is_closed_by_server());
}

BOOST_AUTO_TEST_CASE(a_body_that_stops_coming_is_answered_408) {
  Serving serving(hasty());
  http::Client client = serving.client();
  client.write("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  BOOST_TEST(client.read().status == 408);
}

BOOST_AUTO_TEST_CASE(a_body_that_trickles_has_an_end) {
  Serving serving(hasty());
  http::Client client = serving.client();
  client.write("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  const auto start = std::chrono::steady_clock::now();
  std::thread trickle([&] {
    try {
      while (std::chrono::steady_clock::now() - start < 10s && serving.server.status().timeouts == 0) {
        client.write("x");
        std::this_thread::sleep_for(50ms);
      }
    } catch (const std::system_error&) {
      // the server has closed
    }
  });
  trickle.join();
  BOOST_TEST(client.read().status == 408);
}

BOOST_AUTO_TEST_CASE(idle_connections_are_closed) {
  Serving serving(hasty());
  http::Client silent = serving.client();
  BOOST_TEST(silent.is_closed_by_server());
  http::Client idle = serving.client();
  idle.write("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(idle.read().status == 200);
  BOOST_TEST(idle.is_closed_by_server());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_loses_its_connection) {
  Serving serving(hasty());
  serving.application.body_limit = 64 << 20;
  http::Client client = serving.client();
  const std::string body(16 << 20, 'x');  // more than the kernel keeps for both ends
  client.write("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n");
  client.write(body);
  BOOST_TEST(eventually([&] { return serving.server.status().connections_open == 0; }));
  BOOST_TEST(serving.server.status().timeouts == 1u);
}

BOOST_AUTO_TEST_CASE(garbage_is_answered_400_and_costs_its_connection_only) {
  Serving serving(hasty());
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00", 7), std::string("\0\0\0\0", 4),
        std::string("GET\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")}) {
    http::Client client = serving.client();
    client.write(garbage);
    BOOST_TEST(client.read().status == 400);
  }
  BOOST_TEST(serving.ask("POST", "/echo", "fine").body == "fine");
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_away_before_its_answer_is_forgotten) {
  Serving serving;
  {
    http::Client client = serving.client();
    client.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(eventually([&] { return serving.application.held() == 1; }));
    const linger at_once{1, 0};
    ::setsockopt(client.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  BOOST_TEST(eventually([&] { return serving.server.status().connections_open == 0; }));
  serving.application.release();
  BOOST_TEST(serving.ask("POST", "/echo", "fine").body == "fine");
}

// The kernel raises SIGPIPE for it, whose ordinary handling would end the whole process.
BOOST_AUTO_TEST_CASE(a_client_that_hangs_up_while_it_is_written_to_ends_only_its_connection) {
  ::signal(SIGPIPE, SIG_DFL);  // whoever started this may have it ignored
  Serving serving;
  {
    http::Client client = serving.client();
    client.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    BOOST_TEST(eventually([&] { return serving.application.held() == 1; }));
  }
  const auto stream = serving.application.take().stream({});
  BOOST_TEST(eventually([&] { return !stream->write("piece"); }));
  BOOST_TEST(serving.ask("POST", "/echo", "fine").body == "fine");
}

BOOST_AUTO_TEST_CASE(connections_over_the_limit_are_closed_and_the_others_served) {
  http::ServerOptions options;
  options.max_connections = 2;
  Serving serving(options);
  http::Client first = serving.client();
  first.write("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(first.read().status == 200);
  http::Client second = serving.client();
  BOOST_TEST(eventually([&] { return serving.server.status().connections_open == 2; }));
  BOOST_TEST(serving.client().is_closed_by_server());
  first.write("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(first.read().status == 200);
}

BOOST_AUTO_TEST_CASE(a_thousand_connections_of_all_kinds_leave_good_clients_served) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  // Each end of a connection is a descriptor of this process.
  const std::size_t connections = limit.rlim_cur >= 2200 ? 1000 : (limit.rlim_cur - 100) / 2;
  Serving serving;
  std::vector<std::unique_ptr<http::Client>> clients;
  for (std::size_t i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<http::Client>("127.0.0.1", serving.server.port(), 20s));
    http::Client& client = *clients.back();
    switch (i % 6) {
      case 0:
        break;  // silent
      case 1:
        client.write("GET / HT");
        break;
      case 2:
        client.write("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf");
        break;
      case 3:
        client.end_writing();
        break;
      case 4:
        client.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        break;
      case 5:
        client.write("\x01\x02\x03");
        break;
    }
  }
  for (int i = 0; i < 100; ++i) BOOST_TEST(serving.ask("POST", "/echo", "good").body == "good");
  BOOST_TEST(eventually([&] { return serving.application.held() == (connections + 1) / 6; }));
  serving.application.release();
  for (std::size_t i = 4; i < connections; i += 6) BOOST_TEST(clients[i]->read().body == "released");
  clients.clear();
  BOOST_TEST(eventually([&] { return serving.server.status().connections_open == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
