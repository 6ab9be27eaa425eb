// The parser of requests, byte by byte and at once.
#include <boost/test/unit_test.hpp>

#include "http/request_parser.h"

using namespace lambed::http;
using State = RequestParser::State;

namespace {

constexpr std::uint32_t kHead = 1024;

struct Outcome {
  State state;
  int status = 0;
  std::string body, target;
  std::size_t taken = 0;
};

Outcome parse(const std::string& text, std::size_t step, std::uint64_t limit = 1000) {
  RequestParser parser(kHead);
  std::string waiting;
  std::size_t taken = 0;
  bool limited = false;
  for (std::size_t at = 0;
       at < text.size() && parser.state() != State::kDone && parser.state() != State::kFailed;) {
    waiting += text.substr(at, step);
    at += step;
    for (;;) {
      const std::size_t used = parser.feed(waiting);
      waiting.erase(0, used);
      taken += used;
      if (!limited && parser.state() != State::kHead && parser.state() != State::kFailed) {
        limited = true;
        parser.limit_body(limit);
      }
      if (used == 0 || waiting.empty() || parser.state() == State::kDone || parser.state() == State::kFailed)
        break;
    }
  }
  Outcome outcome{parser.state(), 0, {}, {}, taken};
  if (parser.state() == State::kFailed) outcome.status = parser.failure().status;
  if (parser.state() == State::kDone) {
    Request request = parser.take();
    outcome.body = request.body;
    outcome.target = request.target;
  }
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_parser)

BOOST_AUTO_TEST_CASE(a_request_is_the_same_in_any_pieces) {
  for (const std::size_t step : {1, 2, 3, 7, 64, 4096}) {
    const Outcome plain =
        parse("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /", step);
    BOOST_TEST((plain.state == State::kDone), step);
    BOOST_TEST(plain.body == "hello", step);
    BOOST_TEST(plain.target == "/a?b=c");
    const Outcome chunked = parse(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
        step);
    BOOST_TEST((chunked.state == State::kDone), step);
    BOOST_TEST(chunked.body == "hello", step);
    const Outcome empty_lines = parse("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", step);
    BOOST_TEST((empty_lines.state == State::kDone), step);
  }
}

BOOST_AUTO_TEST_CASE(what_comes_after_a_request_is_left) {
  const std::string first = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n";
  BOOST_TEST(parse(first + "GET /2 HTTP/1.1\r\n", 4096).taken == first.size());
}

BOOST_AUTO_TEST_CASE(bad_requests_have_their_status) {
  const struct {
    const char* text;
    int status;
  } cases[] = {
      {"\x16\x03\x01\x02", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET /\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
  };
  for (const auto& c : cases) {
    for (const std::size_t step : {1, 4096}) {
      const Outcome outcome = parse(c.text, step);
      BOOST_TEST((outcome.state == State::kFailed), c.text);
      BOOST_TEST(outcome.status == c.status, c.text);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chunked_body_over_the_limit_is_refused_when_it_has_come_so_far) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  BOOST_TEST(parse(head + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n", 100).body.size() == 1000u);
  BOOST_TEST(parse(head + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n", 100).status == 413);
}

BOOST_AUTO_TEST_CASE(a_head_that_does_not_end_is_refused) {
  BOOST_TEST(parse("GET /" + std::string(2000, 'a'), 100).status == 431);
  BOOST_TEST(parse("GET / HTTP/1.1\r\nA: " + std::string(2000, 'a'), 100).status == 431);
  // Field by field as well: found by the fuzzer.
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 1000; ++i) many += "A: b\r\n";
  for (const std::size_t step : {1, 6, 100, 10'000}) {
    BOOST_TEST(parse(many + "\r\n", step).status == 431, step);
    BOOST_TEST((parse(many.substr(0, 1000) + "\r\n\r\n", step).status == 0), step);
  }
}

BOOST_AUTO_TEST_SUITE_END()
