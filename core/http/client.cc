#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <limits>
#include <stdexcept>

#include "http/failure.h"

namespace lambed::http {
namespace {

namespace beast = boost::beast;

class ResponseParser final : public beast::http::basic_parser<false> {
 public:
  using Piece = std::function<bool(const Response&, std::string_view)>;
  explicit ResponseParser(Piece piece) : piece_(std::move(piece)) {
    // Not boost::none, which Boost 1.74 takes for 0 where a length is announced.
    body_limit(std::numeric_limits<std::uint64_t>::max());
    header_limit(1024 * 1024);
    eager(true);
  }
  Response response;
  bool stopped = false;

 private:
  using View = beast::string_view;
  std::size_t take(View bytes) {
    const std::string_view piece(bytes.data(), bytes.size());
    if (!piece_) {
      response.body += piece;
    } else if (!stopped && !piece_(response, piece)) {
      stopped = true;
    }
    return bytes.size();
  }
  void on_request_impl(beast::http::verb, View, View, int, beast::error_code&) override {}
  void on_response_impl(int code, View, int, beast::error_code&) override { response.status = code; }
  void on_field_impl(beast::http::field, View name, View value, beast::error_code&) override {
    response.headers.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(View piece, beast::error_code&) override { return take(piece); }
  void on_chunk_header_impl(std::uint64_t, View, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View piece, beast::error_code&) override {
    return take(piece);
  }
  void on_finish_impl(beast::error_code&) override {}

  const Piece piece_;
};

}  // namespace

Client::Client(const std::string& host, std::uint16_t port, std::chrono::milliseconds patience)
    : authority_(host + ":" + std::to_string(port)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) fail(EINVAL, host + " is not an address");
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail(errno, "cannot make a socket");
  const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(socket_);
    socket_ = -1;
    fail(error, "cannot reach " + authority_);
  }
}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

std::string Client::text_of(const Request& request) const {
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (request.find("Host") == nullptr) text += "Host: " + authority_ + "\r\n";
  for (const Header& header : request.headers) text += header.name + ": " + header.value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  text += "\r\n";
  text += request.body;
  return text;
}

void Client::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fail(errno, "cannot send to " + authority_);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Client::end_writing() { ::shutdown(socket_, SHUT_WR); }

Response Client::send(const Request& request) {
  write(text_of(request));
  return read(request.method == "HEAD");
}

Response Client::stream(const Request& request,
                        const std::function<bool(const Response&, std::string_view)>& piece) {
  write(text_of(request));
  return read_with(false, piece);
}

Response Client::read(bool head_only) { return read_with(head_only, nullptr); }

Response Client::read_with(bool head_only,
                           const std::function<bool(const Response&, std::string_view)>& piece) {
  ResponseParser parser(piece);
  parser.skip(head_only);
  char buffer[64 * 1024];
  beast::error_code error;
  for (;;) {
    while (!left_.empty() && !parser.is_done() && !parser.stopped) {
      const std::size_t used = parser.put(boost::asio::const_buffer(left_.data(), left_.size()), error);
      left_.erase(0, used);
      if (error && error != beast::http::error::need_more)
        throw std::runtime_error("not an HTTP answer: " + error.message());
      if (used == 0) break;
    }
    if (parser.is_done() || parser.stopped) return std::move(parser.response);
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(errno, "no answer from " + authority_);
    if (got == 0) {
      if (parser.got_some()) parser.put_eof(error);
      if (parser.is_done() && !error) return std::move(parser.response);
      throw std::runtime_error(authority_ + " has closed the connection without a whole answer");
    }
    left_.append(buffer, static_cast<std::size_t>(got));
  }
}

bool Client::is_closed_by_server() {
  char byte;
  return left_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
}

}  // namespace lambed::http
