// One connection of a Server, and what connections of one server share. Internal to http/.
//
// Threads: everything on the loop's thread, but for Exchange and BodyStream, which post to it.
#pragma once

#include <uv.h>

#include <atomic>
#include <list>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop.h"
#include "http/request_parser.h"
#include "http/server.h"

namespace lambed::http {

struct Server::Shared {
  Shared(ServerOptions server_options, Application& server_application)
      : options(std::move(server_options)), application(server_application) {}

  const ServerOptions options;
  Application& application;
  const SystemClock clock;
  std::atomic<bool> draining{false};
  std::atomic<std::uint64_t> opened{0}, open{0}, refused{0}, requests{0}, malformed{0}, timeouts{0};
  std::atomic<std::uint64_t> body_bytes{0};  // promised to large bodies
  std::atomic<Nanos> worst_lag{0};
};

// Listens on one loop and owns its connections.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::shared_ptr<Server::Shared> shared, std::shared_ptr<CoreLoop> loop);

  // Takes over a bound socket; an errno of libuv's or 0. Called before the server is used.
  int listen(int socket);
  void stop_listening();    // any thread
  void close_everything();  // any thread; returns when no handle is left
  CoreLoop& loop() { return *loop_; }
  const std::shared_ptr<CoreLoop>& shared_loop() { return loop_; }
  Server::Shared& shared() { return *shared_; }
  const std::string& date();  // for the Date header, made once a second
  void count_owed(int by) { owed_ += by; }
  char* read_buffer() { return read_buffer_; }
  static constexpr std::size_t kReadBuffer = 64 * 1024;

  void remove(Connection& connection);

 private:
  void accept();
  void tick();
  void close_listener();
  void close_handle(uv_handle_t* handle);

  const std::shared_ptr<Server::Shared> shared_;
  const std::shared_ptr<CoreLoop> loop_;
  uv_tcp_t listener_{};
  uv_timer_t ticker_{};
  bool listening_ = false;
  bool ticking_ = false;
  int handles_ = 0;  // of these two, not closed yet
  int owed_ = 0;     // answers that the application has not given yet
  Nanos next_tick_ = 0;
  std::list<std::shared_ptr<Connection>> connections_;
  std::time_t date_at_ = 0;
  std::string date_;
  char read_buffer_[kReadBuffer];
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(Acceptor& acceptor);

  bool accept_from(uv_stream_t* listener);
  void tick(Nanos now);
  void begin_drain();  // closes when idle, else after the answer
  void close();
  std::list<std::shared_ptr<Connection>>::iterator place;  // in the acceptor's list

  // Of an exchange, on the loop's thread. `serial` tells whose turn it is.
  void respond(std::uint64_t serial, Response response);
  void begin_stream(std::uint64_t serial, Response head);
  void write_stream(std::uint64_t serial, std::string piece);
  void end_stream(std::uint64_t serial);

 private:
  enum class Phase { kIdle, kHead, kBody, kBusy, kStreaming, kWriting, kLingering, kClosing };

  void start_reading();
  void stop_reading();
  void on_read(ssize_t count, const char* bytes);
  void process(std::string_view fresh);
  std::size_t step(std::string_view bytes);
  bool look_at_head();
  bool promise_body();
  void release_body();
  void hand_over();
  void refuse(int status, std::string_view why);
  void send(std::string first, std::string second, bool last);
  void written(int status);
  void linger();
  void move_to(Phase phase);

  Acceptor& acceptor_;
  Server::Shared& shared_;
  uv_tcp_t socket_{};
  uv_shutdown_t shutdown_{};
  RequestParser parser_;
  Phase phase_ = Phase::kIdle;
  std::string input_;  // what has come and was not parsed yet
  std::string peer_;
  bool reading_ = false;
  bool peer_has_ended_ = false;
  bool head_seen_ = false;
  bool draining_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool head_only_ = false;  // the request was a HEAD
  bool in_process_ = false;
  int writes_ = 0;
  std::uint64_t serial_ = 0;  // of the exchange under way
  std::uint64_t promised_ = 0;
  Nanos deadline_ = kNever;
  Nanos body_end_ = kNever;
  std::size_t queued_at_tick_ = 0;
  Nanos stalled_since_ = kNever;
  std::uint64_t discarded_ = 0;
};

}  // namespace lambed::http
