// A small HTTP/1.1 client that blocks, for the program's own commands and for tests. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace lambed::http {

class Client {
 public:
  // Connects; throws std::system_error. `patience`: for each read and write.
  Client(const std::string& host, std::uint16_t port, std::chrono::milliseconds patience);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Host and Content-Length are added. Throws std::system_error, std::runtime_error when the answer is none.
  Response send(const Request& request);
  // Gives the body on as it comes; false ends it early. `head` has seen the status by then.
  Response stream(const Request& request,
                  const std::function<bool(const Response& head, std::string_view piece)>& piece);

  // For tests: bytes as they are, and the next answer.
  void write(std::string_view bytes);
  Response read(bool head_only = false);
  void end_writing();
  // Waits for the end of the connection; false: something else came, or nothing in time.
  bool is_closed_by_server();
  int descriptor() const { return socket_; }

 private:
  Response read_with(bool head_only, const std::function<bool(const Response&, std::string_view)>& piece);
  std::string text_of(const Request& request) const;

  int socket_ = -1;
  std::string authority_;
  std::string left_;  // of the bytes read, after the last answer
};

}  // namespace lambed::http
