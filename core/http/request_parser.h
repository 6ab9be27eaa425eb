// Reads one request after the other from the bytes of a connection: Boost.Beast's parser behind a small face.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace lambed::http {

// Why a request cannot be read, and the status that says so.
struct ParseFailure {
  int status = 400;  // 400, 413 (the body), 431 (the head), 505
  std::string text;
};

// The parser of one request; make a new one for the next. kHead -> kBody -> kDone, or kFailed from anywhere.
// In kBody `head()` is complete and the body's limit may be set before more is fed.
class RequestParser {
 public:
  enum class State { kHead, kBody, kDone, kFailed };

  explicit RequestParser(std::uint32_t head_limit);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  // Takes what it can from the front of `bytes` and says how much that was; the rest must be given again, followed by what
  // comes after it. Returns when the head has ended, so that the caller can look at it, and when the request has.
  std::size_t feed(std::string_view bytes);
  State state() const;
  const ParseFailure& failure() const;

  // Nothing of a request has come yet (empty lines before it do not count).
  bool is_untouched() const;

  // From kBody on.
  const Request& head() const;
  bool expects_continue() const;
  // 417 for an expectation that is none of 100-continue.
  bool expects_unknown() const;
  void limit_body(std::uint64_t bytes);
  // How much of the body has come.
  std::uint64_t body_bytes() const;

  Request take();

 private:
  class Beast;
  std::unique_ptr<Beast> beast_;
};

}  // namespace lambed::http
