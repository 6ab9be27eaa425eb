// The parser of requests: whatever comes, in whatever pieces, it ends in one of its states, keeps its limits, and reads the same
// as in one piece.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "http/request_parser.h"

using namespace lambed::http;
using State = RequestParser::State;

namespace {

constexpr std::uint32_t kHead = 2048;
constexpr std::uint64_t kBody = 4096;

struct Reading {
  State state = State::kHead;
  std::string text;  // of the request, written out
};

Reading read(std::string_view bytes, std::size_t step) {
  RequestParser parser(kHead);
  std::string waiting;
  bool has_limit = false;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    waiting += bytes.substr(at, step);
    for (;;) {
      const std::size_t used = parser.feed(waiting);
      FUZZ_EXPECT(used <= waiting.size());
      waiting.erase(0, used);
      if (!has_limit && (parser.state() == State::kBody || parser.state() == State::kDone)) {
        has_limit = true;
        parser.limit_body(kBody);
      }
      if (used == 0 || parser.state() == State::kDone || parser.state() == State::kFailed) break;
    }
    if (parser.state() == State::kDone || parser.state() == State::kFailed) break;
  }
  Reading reading{parser.state(), {}};
  if (parser.state() == State::kFailed) {
    FUZZ_EXPECT(parser.failure().status >= 400 && parser.failure().status < 600);
    FUZZ_EXPECT(!parser.failure().text.empty());
  }
  if (parser.state() == State::kDone) {
    const Request request = parser.take();
    FUZZ_EXPECT(request.body.size() <= kBody);
    FUZZ_EXPECT(!request.method.empty() && !request.target.empty());
    reading.text = request.method + " " + request.target;
    for (const Header& header : request.headers) {
      FUZZ_EXPECT(header.name.find_first_of("\r\n: ") == std::string::npos);
      FUZZ_EXPECT(header.value.find_first_of("\r\n") == std::string::npos);
      reading.text += "\n" + header.name + ":" + header.value;
    }
    reading.text += "\n\n" + request.body;
  }
  return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Reading at_once = read(bytes, bytes.size() + 1);
  const Reading in_pieces = read(bytes, step);
  if (at_once.state == State::kDone && in_pieces.state == State::kDone)
    FUZZ_EXPECT(at_once.text == in_pieces.text);
  FUZZ_EXPECT((at_once.state == State::kDone) == (in_pieces.state == State::kDone));
  return 0;
}
