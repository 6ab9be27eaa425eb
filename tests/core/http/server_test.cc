// The server with clients that behave.
#include "core/http/serving.h"

#include <system_error>

using namespace lambed;
using namespace lambed::testing;

BOOST_AUTO_TEST_SUITE(http_server)

BOOST_AUTO_TEST_CASE(answers_and_keeps_the_connection) {
  Serving serving;
  http::Client client = serving.client();
  for (int i = 0; i < 100; ++i) {
    http::Request request;
    request.method = "POST";
    request.target = "/echo";
    request.body = "body " + std::to_string(i);
    const http::Response answer = client.send(request);
    BOOST_TEST(answer.status == 200);
    BOOST_TEST(answer.body == request.body);
    BOOST_TEST(header_of(answer, "Connection") == "keep-alive");
    BOOST_TEST(!header_of(answer, "Date").empty());
  }
  BOOST_TEST(serving.server.status().connections_opened == 1u);
  BOOST_TEST(serving.server.status().requests == 100u);
}

BOOST_AUTO_TEST_CASE(pipelined_requests_are_answered_in_their_order) {
  Serving serving;
  http::Client client = serving.client();
  std::string all;
  for (int i = 0; i < 50; ++i) {
    const std::string body = std::to_string(i);
    all += "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }
  client.write(all);
  for (int i = 0; i < 50; ++i) BOOST_TEST(client.read().body == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_request_that_waits_holds_up_its_own_connection_only) {
  Serving serving;
  http::Client waiting = serving.client();
  waiting.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(eventually([&] { return serving.application.held() == 1; }));
  BOOST_TEST(serving.ask("POST", "/echo", "quick").body == "quick");
  serving.application.release();
  BOOST_TEST(waiting.read().body == "released");
  BOOST_TEST(waiting.read().body == "/target");
}

BOOST_AUTO_TEST_CASE(expect_continue_is_answered_before_the_body) {
  Serving serving;
  http::Client client = serving.client();
  client.write("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  BOOST_TEST(client.read(true).status == 100);
  client.write("body");
  BOOST_TEST(client.read().body == "body");
  client.write("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: something\r\nContent-Length: 4\r\n\r\n");
  BOOST_TEST(client.read().status == 417);
}

BOOST_AUTO_TEST_CASE(what_the_application_refuses_is_answered_before_the_body) {
  Serving serving;
  http::Client client = serving.client();
  client.write("POST /stop HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  const http::Response answer = client.read();
  BOOST_TEST(answer.status == 403);
  BOOST_TEST(header_of(answer, "Connection") == "close");
}

BOOST_AUTO_TEST_CASE(bodies_of_all_sizes_arrive) {
  Serving serving;
  serving.application.body_limit = 64 << 20;
  for (const std::size_t size : {0u, 1u, 65535u, 65536u, 65537u, 1u << 20, 30u << 20}) {
    const std::string body(size, 'x');
    BOOST_TEST(serving.ask("POST", "/size", body).body == std::to_string(size));
    BOOST_TEST((serving.ask("POST", "/echo", body).body == body), size);
  }
}

BOOST_AUTO_TEST_CASE(a_body_over_the_limit_is_refused_and_the_client_reads_why) {
  Serving serving;
  const http::Response answer = serving.ask("POST", "/size", std::string(8 << 20, 'x'));
  BOOST_TEST(answer.status == 413);
}

BOOST_AUTO_TEST_CASE(large_bodies_have_a_budget) {
  http::ServerOptions options;
  options.body_budget = 3 << 20;
  Serving serving(options);
  serving.application.body_limit = 64 << 20;
  http::Client first = serving.client();
  first.write("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\nx");
  BOOST_TEST(serving.ask("POST", "/size", "small").body == "5");
  BOOST_TEST(
      eventually([&] { return serving.ask("POST", "/size", std::string(2 << 20, 'x')).status == 503; }));
  first.write(std::string((2 << 20) - 1, 'x'));
  BOOST_TEST(first.read().body == "2097152");
  BOOST_TEST(serving.ask("POST", "/size", std::string(2 << 20, 'x')).body == "2097152");
}

BOOST_AUTO_TEST_CASE(streams_come_in_chunks_and_for_old_clients_until_the_end) {
  Serving serving;
  const http::Response chunks = serving.ask("GET", "/stream");
  BOOST_TEST(chunks.body == "one two three");
  BOOST_TEST(header_of(chunks, "Transfer-Encoding") == "chunked");
  http::Client old = serving.client();
  old.write("GET /stream HTTP/1.0\r\nHost: x\r\n\r\n");
  BOOST_TEST(old.read().body == "one two three");
}

BOOST_AUTO_TEST_CASE(an_exchange_that_nobody_answers_is_answered_500) {
  Serving serving;
  BOOST_TEST(serving.ask("GET", "/drop").status == 500);
}

BOOST_AUTO_TEST_CASE(head_has_the_length_and_no_body) {
  Serving serving;
  http::Client client = serving.client();
  client.write("HEAD /target HTTP/1.1\r\nHost: x\r\n\r\nGET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  const http::Response head = client.read(true);
  BOOST_TEST(header_of(head, "Content-Length") == "7");
  BOOST_TEST(client.read().body == "/target");
}

BOOST_AUTO_TEST_CASE(a_client_that_has_no_more_to_say_still_gets_its_answer) {
  Serving serving;
  http::Client client = serving.client();
  client.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  client.end_writing();
  BOOST_TEST(eventually([&] { return serving.application.held() == 1; }));
  serving.application.release();
  BOOST_TEST(client.read().body == "released");
  BOOST_TEST(client.is_closed_by_server());
}

BOOST_AUTO_TEST_CASE(connections_are_shared_among_loops) {
  http::ServerOptions options;
  options.loops = 4;
  Serving serving(options);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) good += serving.ask("POST", "/echo", "x").body == "x" ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(good.load() == 400);
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_an_error_even_by_a_server_of_ours) {
  Serving serving;
  http::ServerOptions options;
  options.port = serving.server.port();
  EchoApplication application;
  BOOST_CHECK_THROW(http::Server(options, application), std::system_error);
}

BOOST_AUTO_TEST_CASE(draining_answers_what_is_owed_and_closes_the_rest) {
  Serving serving;
  http::Client idle = serving.client();
  idle.write("GET /target HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(idle.read().status == 200);
  http::Client busy = serving.client();
  busy.write("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
  BOOST_TEST(eventually([&] { return serving.application.held() == 1; }));
  bool drained = false;
  std::thread drainer([&] { drained = serving.server.drain(20s); });
  BOOST_TEST(idle.is_closed_by_server());
  BOOST_CHECK_THROW(serving.client(), std::system_error);
  serving.application.release();
  const http::Response answer = busy.read();
  BOOST_TEST(answer.body == "released");
  BOOST_TEST(header_of(answer, "Connection") == "close");
  drainer.join();
  BOOST_TEST(drained);
}

BOOST_AUTO_TEST_SUITE_END()
