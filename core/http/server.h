// An HTTP/1.1 server on libuv: several loops that share one port, many connections each.
//
// What it promises: requests of one connection are answered in their order; a client that is slow, silent, hostile or gone
// costs its own connection and nothing else; what a client may make the server hold is bounded.
// Threads: Server's methods from any thread. An Application is called on the loops' threads and must not block them. An
// Exchange is answered from any thread.
// Life: the constructor listens, or throws std::system_error; drain() stops taking connections and lets those in flight end;
// the destructor closes whatever is left and ends the loops.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace lambed::http {

class Connection;
class Acceptor;

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address, not a name
  std::uint16_t port = 0;          // 0: one that is free
  int loops = 1;
  int max_connections = 10'000;
  std::uint32_t head_limit = 64 * 1024;
  // What all bodies over 1 MB that are being received may hold together; beyond it such requests are answered 503.
  std::uint64_t body_budget = std::uint64_t{1} << 30;
  std::chrono::milliseconds head_timeout{10'000};   // from the first byte of a request to the end of its head
  std::chrono::milliseconds body_pause{20'000};     // without a byte of the body
  std::chrono::milliseconds body_timeout{300'000};  // for the whole body
  std::chrono::milliseconds idle_timeout{75'000};   // between two requests
  std::chrono::milliseconds write_pause{20'000};    // without the client taking a byte
  std::chrono::milliseconds linger{2'000};          // reading on after the last answer, so that it arrives
};

// Counts since the start; the members are read one by one.
struct ServerStatus {
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t connections_refused = 0;  // over max_connections
  std::uint64_t requests = 0;
  std::uint64_t malformed = 0;  // answered 4xx/5xx by the server itself
  std::uint64_t timeouts = 0;
  std::chrono::nanoseconds worst_lag{};  // how late the loops' timers came since the last look
};

// A body that is written piece by piece, in chunks. Any thread; letting go of it ends the body.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // False: nobody reads any more, or the reader is so slow that 4 MB wait for it, which ends the connection.
  virtual bool write(std::string piece) = 0;
  virtual void end() = 0;
};

// A request and the answer that is owed to it. Copies are the same exchange; the first answer counts. One that goes away
// unanswered is answered 500.
class Exchange {
 public:
  struct State;
  explicit Exchange(std::shared_ptr<State> state) : state_(std::move(state)) {}

  Request& request() const;
  void respond(Response response) const;
  // The head now, the body by and by.
  std::shared_ptr<BodyStream> stream(Response head) const;

 private:
  std::shared_ptr<State> state_;
};

// What the server is for. Called on the loops' threads.
class Application {
 public:
  struct Admission {
    std::optional<Response> refusal;  // sent instead of reading the body
    std::uint64_t body_limit = 0;
  };
  virtual ~Application() = default;
  // The head has come, the body has not.
  virtual Admission admit(const Request& head) = 0;
  virtual void handle(Exchange exchange) = 0;
  // The answer to a request that cannot be read or takes too long: 400, 408, 413, 417, 431, 503, 505. `head` is empty when
  // it is not known. `received`: bytes of the body so far.
  virtual Response refuse(int status, std::string_view why, const Request* head, std::uint64_t received) = 0;
};

class Server {
 public:
  // `application` must outlive the server.
  Server(ServerOptions options, Application& application);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  // No new connections; idle ones are closed, others after the answer they are owed. True: all have gone within `limit`.
  bool drain(std::chrono::milliseconds limit);
  ServerStatus status();

  struct Shared;

 private:
  const std::shared_ptr<Shared> shared_;
  std::uint16_t port_ = 0;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
};

}  // namespace lambed::http
