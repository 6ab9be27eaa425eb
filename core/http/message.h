// Requests and answers of HTTP/1.1. Plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambed::http {

struct Header {
  std::string name;
  std::string value;
};

// Names of headers are compared without regard to case, ASCII only.
bool same_name(std::string_view a, std::string_view b);

struct Request {
  std::string method;
  std::string target;  // as it came: "/a%20b?c=d"
  std::vector<Header> headers;
  std::string body;  // chunks already joined; followed by kJsonPadding readable bytes
  std::string peer;  // "127.0.0.1:51234"
  bool keep_alive = true;
  bool is_http_1_0 = false;                     // no chunks for this client
  std::optional<std::uint64_t> content_length;  // as announced; nothing for chunks

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {  // without its question mark
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
  }
  // The first header of that name; nullptr: there is none.
  const std::string* find(std::string_view name) const;
  // The same; empty: there is none.
  std::string_view header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::vector<Header> headers;  // without Content-Length, Connection, Date: the server's own
  std::string body;
  bool close = false;  // end the connection after it

  Response& with(std::string name, std::string value) {
    headers.push_back({std::move(name), std::move(value)});
    return *this;
  }
};

// "Not Found"; "Unknown" for a status without a name.
std::string_view reason_of(int status);

enum class Framing { kLength, kChunked };
// The head with its empty line. `body_size` matters for kLength; statuses without a body (1xx, 204, 304) get no length. Line
// breaks in names and values become spaces, so that no value can end the head.
std::string head_of(const Response& response, Framing framing, std::size_t body_size, bool keep_alive,
                    std::string_view date);
bool has_body(int status);

// "%41" -> "A"; a plus sign stays one. nullopt: a percent sign without two hexadecimal digits after it, or an encoded NUL.
std::optional<std::string> percent_decoded(std::string_view text);
std::string percent_encoded(std::string_view text);
// "a=1&b=2", decoded, plus signs being spaces; what cannot be decoded is nullopt.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace lambed::http
