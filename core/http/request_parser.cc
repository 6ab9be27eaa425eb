#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

#include "base/json.h"

namespace lambed::http {

namespace beast = boost::beast;

namespace {

using View = beast::string_view;

std::string_view view(View text) { return {text.data(), text.size()}; }

// What is set aside at once for an announced body; the rest comes as bytes do, so that an announcement costs nothing.
constexpr std::uint64_t kBodyStart = 256 * 1024;

}  // namespace

class RequestParser::Beast final : public beast::http::basic_parser<true> {
 public:
  explicit Beast(std::uint32_t head_limit) : head_left_(head_limit) {
    header_limit(head_limit);
    // Limits of bodies differ by operation, which is known only after the head: kept here, not by Beast.
    // Not boost::none, which Boost 1.74 takes for 0 where a length is announced.
    body_limit(std::numeric_limits<std::uint64_t>::max());
    eager(false);
  }

  std::size_t feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (state_ == State::kHead || state_ == State::kBody) {
      if (!touched_) taken += empty_lines(bytes.substr(taken));
      const std::string_view rest = bytes.substr(taken);
      if (rest.empty()) break;
      if (!touched_ && !begins_well(rest[0])) break;
      beast::error_code error;
      const std::size_t used = put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      taken += used;
      if (state_ == State::kHead && !take_from_head(used)) break;
      if (used > 0) touched_ = true;
      if (state_ == State::kFailed) break;  // by one of the callbacks
      if (error && error != beast::http::error::need_more) {
        fail(error);
        break;
      }
      const bool head_ended = state_ == State::kHead && is_header_done();
      if (head_ended) {
        state_ = State::kBody;
        request_.keep_alive = keep_alive();
        if (const auto length = content_length()) request_.content_length = *length;
        eager(true);
      }
      if (is_done()) {
        finish();
        break;
      }
      if (head_ended) break;
      if (error == beast::http::error::need_more || used == 0) break;
    }
    return taken;
  }

  std::size_t head_left_;
  State state_ = State::kHead;
  ParseFailure failure_;
  Request request_;
  std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
  bool touched_ = false;
  bool continue_ = false;
  bool unknown_expectation_ = false;

  void give_up(int status, std::string text) {
    failure_ = {status, std::move(text)};
    state_ = State::kFailed;
  }

 private:
  // RFC 9112, 2.2: empty lines before a request are skipped.
  static std::size_t empty_lines(std::string_view bytes) {
    return std::min(bytes.find_first_not_of("\r\n"), bytes.size());
  }

  // Beast waits for the end of a line before it looks at any of it; garbage without line ends is refused earlier.
  bool begins_well(char first) {
    if ((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z')) return true;
    give_up(400, "This is not a request of HTTP/1.1.");
    return false;
  }

  // Beast's own limit holds for what it has not parsed yet, so that a head which comes field by field would have none.
  bool take_from_head(std::size_t bytes) {
    if (bytes <= head_left_) {
      head_left_ -= bytes;
      return true;
    }
    give_up(431, "The head of the request is too large.");
    return false;
  }

  void fail(const beast::error_code& error) {
    if (error == beast::http::error::header_limit) {
      give_up(431, "The head of the request is too large.");
    } else if (error == beast::http::error::bad_version) {
      give_up(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    } else {
      give_up(400, "The request is malformed: " + error.message() + ".");
    }
  }

  void finish() {
    request_.body.reserve(request_.body.size() + kJsonPadding);
    state_ = State::kDone;
  }

  void append(View piece, beast::error_code& error) {
    if (request_.body.size() + piece.size() > limit_) {
      give_up(413, "The body of the request is too large.");
      error = beast::http::make_error_code(beast::http::error::body_limit);
      return;
    }
    request_.body.append(piece.data(), piece.size());
  }

  void on_request_impl(beast::http::verb, View method, View target, int version,
                       beast::error_code&) override {
    request_.method = view(method);
    request_.target = view(target);
    request_.is_http_1_0 = version < 11;
  }
  void on_response_impl(int, View, int, beast::error_code&) override {}

  void on_field_impl(beast::http::field field, View name, View value, beast::error_code&) override {
    request_.headers.push_back({std::string(view(name)), std::string(view(value))});
    if (field != beast::http::field::expect) return;
    (same_name(view(value), "100-continue") ? continue_ : unknown_expectation_) = true;
  }

  void on_header_impl(beast::error_code&) override {}

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, beast::error_code&) override {
    if (!length) return;
    request_.body.reserve(static_cast<std::size_t>(std::min(*length, kBodyStart)) + kJsonPadding);
  }
  std::size_t on_body_impl(View piece, beast::error_code& error) override {
    append(piece, error);
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View piece, beast::error_code& error) override {
    append(piece, error);
    return piece.size();
  }
  void on_finish_impl(beast::error_code&) override {}
};

RequestParser::RequestParser(std::uint32_t head_limit) : beast_(std::make_unique<Beast>(head_limit)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::size_t RequestParser::feed(std::string_view bytes) { return beast_->feed(bytes); }
RequestParser::State RequestParser::state() const { return beast_->state_; }
const ParseFailure& RequestParser::failure() const { return beast_->failure_; }
bool RequestParser::is_untouched() const { return !beast_->touched_; }
const Request& RequestParser::head() const { return beast_->request_; }
bool RequestParser::expects_continue() const { return beast_->continue_; }
bool RequestParser::expects_unknown() const { return beast_->unknown_expectation_ && !beast_->continue_; }

void RequestParser::limit_body(std::uint64_t bytes) {
  beast_->limit_ = bytes;
  const std::uint64_t announced = beast_->request_.content_length.value_or(0);
  if (announced > bytes || beast_->request_.body.size() > bytes) {
    beast_->give_up(413, "The body of the request is too large.");
  }
}

std::uint64_t RequestParser::body_bytes() const { return beast_->request_.body.size(); }
Request RequestParser::take() { return std::move(beast_->request_); }

}  // namespace lambed::http
