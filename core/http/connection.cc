#include "http/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <utility>

namespace lambed::http {
namespace {

// While an answer is awaited, so much of the next request is read ahead.
constexpr std::size_t kReadAhead = 64 * 1024;
constexpr std::uint64_t kLargeBody = 1024 * 1024;
constexpr std::size_t kMostQueued = 4 * 1024 * 1024;
// What is read and thrown away after the last answer, so that a client that still sends gets to read it.
constexpr std::uint64_t kMostDiscarded = 256 * 1024 * 1024;

struct Write {
  uv_write_t request{};
  std::shared_ptr<Connection> connection;
  std::string first, second;
};

std::string peer_of(const uv_tcp_t& socket) {
  sockaddr_storage address{};
  int size = sizeof address;
  if (uv_tcp_getpeername(&socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "unknown";
  char text[INET6_ADDRSTRLEN] = {};
  int port = 0;
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    uv_ip4_name(v4, text, sizeof text);
    port = ntohs(v4->sin_port);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, text, sizeof text);
    port = ntohs(v6->sin6_port);
  }
  return std::string(text) + ":" + std::to_string(port);
}

}  // namespace

// ---- Exchanges: any thread.

struct Exchange::State {
  std::weak_ptr<Connection> connection;
  std::shared_ptr<CoreLoop> loop;
  std::uint64_t serial = 0;
  Request request;
  std::atomic<bool> answered{false};

  template <class Do>
  void on_loop(Do action) {
    if (loop->on_loop_thread()) {
      if (const auto there = connection.lock()) action(*there);
      return;
    }
    // A loop that has stopped takes nothing: its connections are gone.
    loop->post([where = connection, action = std::move(action)]() mutable {
      if (const auto there = where.lock()) action(*there);
    });
  }

  void respond(Response response) {
    if (answered.exchange(true)) return;
    on_loop([id = serial, answer = std::make_shared<Response>(std::move(response))](Connection& there) {
      there.respond(id, std::move(*answer));
    });
  }

  ~State() {
    if (!answered.load()) {
      Response response;
      response.status = 500;
      respond(std::move(response));
    }
  }
};

namespace {

class Stream final : public BodyStream {
 public:
  explicit Stream(std::shared_ptr<Exchange::State> state) : state_(std::move(state)) {}
  ~Stream() override { end(); }

  bool write(std::string piece) override {
    if (ended_.load() || state_->connection.expired()) return false;
    state_->on_loop([id = state_->serial, text = std::make_shared<std::string>(std::move(piece))](
                        Connection& there) { there.write_stream(id, std::move(*text)); });
    return true;
  }
  void end() override {
    if (ended_.exchange(true)) return;
    state_->on_loop([id = state_->serial](Connection& there) { there.end_stream(id); });
  }

 private:
  const std::shared_ptr<Exchange::State> state_;
  std::atomic<bool> ended_{false};
};

}  // namespace

Request& Exchange::request() const { return state_->request; }
void Exchange::respond(Response response) const { state_->respond(std::move(response)); }

std::shared_ptr<BodyStream> Exchange::stream(Response head) const {
  auto stream = std::make_shared<Stream>(state_);
  if (!state_->answered.exchange(true)) {
    state_->on_loop([id = state_->serial, answer = std::make_shared<Response>(std::move(head))](
                        Connection& there) { there.begin_stream(id, std::move(*answer)); });
  }
  return stream;
}

// ---- The connection.

Connection::Connection(Acceptor& acceptor)
    : acceptor_(acceptor), shared_(acceptor.shared()), parser_(shared_.options.head_limit) {
  uv_tcp_init(acceptor_.loop().uv(), &socket_);
  socket_.data = this;
}

bool Connection::accept_from(uv_stream_t* listener) {
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(&socket_)) != 0) return false;
  uv_tcp_nodelay(&socket_, 1);
  peer_ = peer_of(socket_);
  move_to(Phase::kIdle);
  start_reading();
  return true;
}

void Connection::start_reading() {
  if (reading_ || peer_has_ended_ || phase_ == Phase::kClosing) return;
  reading_ = uv_read_start(
                 reinterpret_cast<uv_stream_t*>(&socket_),
                 [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
                   auto* self = static_cast<Connection*>(handle->data);
                   *buffer = uv_buf_init(self->acceptor_.read_buffer(), Acceptor::kReadBuffer);
                 },
                 [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
                   const auto self = static_cast<Connection*>(stream->data)->shared_from_this();
                   self->on_read(count, buffer->base);
                 }) == 0;
}

void Connection::stop_reading() {
  if (!reading_) return;
  uv_read_stop(reinterpret_cast<uv_stream_t*>(&socket_));
  reading_ = false;
}

void Connection::on_read(ssize_t count, const char* bytes) {
  if (count == 0) return;
  if (count == UV_EOF) {
    // The client has no more to say. It may still wait for what it is owed.
    stop_reading();
    peer_has_ended_ = true;
    if (phase_ == Phase::kBusy || phase_ == Phase::kStreaming || phase_ == Phase::kWriting) return;
    close();
    return;
  }
  if (count < 0) {
    close();
    return;
  }
  const std::string_view fresh(bytes, static_cast<std::size_t>(count));
  switch (phase_) {
    case Phase::kClosing:
      return;
    case Phase::kLingering:
      discarded_ += fresh.size();
      if (discarded_ > kMostDiscarded) close();
      return;
    case Phase::kBusy:
    case Phase::kStreaming:
    case Phase::kWriting:
      input_ += fresh;
      if (input_.size() >= kReadAhead) stop_reading();
      return;
    default:
      process(fresh);
  }
}

// Parses what there is, and answers, until more must come or an answer is awaited.
void Connection::process(std::string_view fresh) {
  if (in_process_) return;
  in_process_ = true;
  std::string kept;
  if (!input_.empty()) {
    kept = std::exchange(input_, {});
    kept += fresh;
    fresh = kept;
  }
  while (!fresh.empty() && (phase_ == Phase::kIdle || phase_ == Phase::kHead || phase_ == Phase::kBody)) {
    const std::size_t used = step(fresh);
    fresh.remove_prefix(used);
    if (used == 0) break;
  }
  if (phase_ != Phase::kClosing && phase_ != Phase::kLingering && !fresh.empty()) input_.insert(0, fresh);
  in_process_ = false;
  if (phase_ == Phase::kIdle || phase_ == Phase::kHead || phase_ == Phase::kBody) {
    if (peer_has_ended_) {
      close();
    } else {
      start_reading();
    }
  }
}

std::size_t Connection::step(std::string_view bytes) {
  const std::size_t used = parser_.feed(bytes);
  if (phase_ == Phase::kIdle && (used < bytes.size() || !parser_.is_untouched())) move_to(Phase::kHead);
  if (parser_.state() == RequestParser::State::kHead) return used;
  if (parser_.state() != RequestParser::State::kFailed && !head_seen_ && !look_at_head()) return used;
  switch (parser_.state()) {
    case RequestParser::State::kFailed:
      refuse(parser_.failure().status, parser_.failure().text);
      break;
    case RequestParser::State::kDone:
      hand_over();
      break;
    default:
      deadline_ = std::min(body_end_, shared_.clock.now() + to_nanos(shared_.options.body_pause));
  }
  return used;
}

// False: the request was refused.
bool Connection::look_at_head() {
  head_seen_ = true;
  const Request& head = parser_.head();
  Application::Admission admission = shared_.application.admit(head);
  if (admission.refusal) {
    const bool has_body = parser_.state() == RequestParser::State::kBody;
    admission.refusal->close = admission.refusal->close || has_body;
    head_only_ = head.method == "HEAD";
    keep_alive_ = head.keep_alive;
    ++serial_;
    move_to(Phase::kBusy);
    respond(serial_, std::move(*admission.refusal));
    return false;
  }
  if (parser_.expects_unknown()) {
    refuse(417, "Only the expectation 100-continue is known.");
    return false;
  }
  parser_.limit_body(admission.body_limit);
  if (parser_.state() != RequestParser::State::kBody) return true;
  promised_ = head.content_length.value_or(admission.body_limit);
  if (!promise_body()) {
    refuse(503, "Too many large requests are being received. Try again.");
    return false;
  }
  move_to(Phase::kBody);
  if (parser_.expects_continue() && parser_.body_bytes() == 0 && !head.is_http_1_0) {
    send("HTTP/1.1 100 Continue\r\n\r\n", {}, false);
  }
  return true;
}

bool Connection::promise_body() {
  if (promised_ <= kLargeBody) {
    promised_ = 0;
    return true;
  }
  const std::uint64_t before = shared_.body_bytes.fetch_add(promised_);
  if (before + promised_ <= shared_.options.body_budget) return true;
  release_body();
  return false;
}

void Connection::release_body() { shared_.body_bytes.fetch_sub(std::exchange(promised_, 0)); }

void Connection::hand_over() {
  release_body();
  shared_.requests.fetch_add(1, std::memory_order_relaxed);
  auto state = std::make_shared<Exchange::State>();
  state->connection = weak_from_this();
  state->loop = acceptor_.shared_loop();
  state->serial = ++serial_;
  state->request = parser_.take();
  state->request.peer = peer_;
  keep_alive_ = state->request.keep_alive;
  chunked_ = !state->request.is_http_1_0;
  head_only_ = state->request.method == "HEAD";
  parser_ = RequestParser(shared_.options.head_limit);
  head_seen_ = false;
  move_to(Phase::kBusy);
  shared_.application.handle(Exchange(std::move(state)));
}

void Connection::refuse(int status, std::string_view why) {
  shared_.malformed.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t received = parser_.body_bytes();
  Response response =
      shared_.application.refuse(status, why, head_seen_ ? &parser_.head() : nullptr, received);
  release_body();
  response.close = true;
  ++serial_;
  move_to(Phase::kBusy);
  respond(serial_, std::move(response));
}

void Connection::respond(std::uint64_t serial, Response response) {
  if (serial != serial_ || phase_ != Phase::kBusy) return;
  if (response.close || draining_ || shared_.draining.load(std::memory_order_relaxed)) keep_alive_ = false;
  std::string head = head_of(response, Framing::kLength, response.body.size(), keep_alive_, acceptor_.date());
  if (head_only_ || !has_body(response.status)) response.body.clear();
  move_to(Phase::kWriting);
  send(std::move(head), std::move(response.body), true);
}

void Connection::begin_stream(std::uint64_t serial, Response head) {
  if (serial != serial_ || phase_ != Phase::kBusy) return;
  if (!chunked_ || shared_.draining.load(std::memory_order_relaxed)) keep_alive_ = false;
  std::string text;
  if (chunked_) {
    text = head_of(head, Framing::kChunked, 0, keep_alive_, acceptor_.date());
  } else {
    head.status = head.status == 204 ? 200 : head.status;
    text = "HTTP/1.1 " + std::to_string(head.status) + " OK\r\nConnection: close\r\n\r\n";
  }
  move_to(Phase::kStreaming);
  send(std::move(text), {}, false);
}

void Connection::write_stream(std::uint64_t serial, std::string piece) {
  if (serial != serial_ || phase_ != Phase::kStreaming || piece.empty() || head_only_) return;
  if (uv_stream_get_write_queue_size(reinterpret_cast<uv_stream_t*>(&socket_)) > kMostQueued) {
    close();  // the reader is too slow to be waited for
    return;
  }
  if (!chunked_) {
    send(std::move(piece), {}, false);
    return;
  }
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
  piece += "\r\n";
  send(size, std::move(piece), false);
}

void Connection::end_stream(std::uint64_t serial) {
  if (serial != serial_ || phase_ != Phase::kStreaming) return;
  move_to(Phase::kWriting);
  send(chunked_ && !head_only_ ? "0\r\n\r\n" : "", {}, true);
}

void Connection::send(std::string first, std::string second, bool last) {
  if (phase_ == Phase::kClosing) return;
  auto* write = new Write;
  write->connection = shared_from_this();
  write->first = std::move(first);
  write->second = std::move(second);
  write->request.data = write;
  const uv_buf_t buffers[2] = {
      uv_buf_init(write->first.data(), static_cast<unsigned>(write->first.size())),
      uv_buf_init(write->second.data(), static_cast<unsigned>(write->second.size()))};
  const auto done = [](uv_write_t* request, int status) {
    const std::unique_ptr<Write> owned(static_cast<Write*>(request->data));
    owned->connection->written(status);
  };
  ++writes_;
  static_cast<void>(last);
  if (const int refused =
          uv_write(&write->request, reinterpret_cast<uv_stream_t*>(&socket_), buffers, 2, done);
      refused != 0) {
    --writes_;
    delete write;
    close();
  }
}

void Connection::written(int status) {
  --writes_;
  if (phase_ == Phase::kClosing) return;
  if (status != 0) {
    close();
    return;
  }
  if (phase_ != Phase::kWriting || writes_ > 0) return;
  if (!keep_alive_ || draining_ || shared_.draining.load(std::memory_order_relaxed)) {
    linger();
    return;
  }
  move_to(Phase::kIdle);
  process({});
}

// Ends our side and reads on for a while: closing with unread input would reset the connection, and the client might lose the
// answer.
void Connection::linger() {
  if (peer_has_ended_) {
    close();
    return;
  }
  input_.clear();
  move_to(Phase::kLingering);
  const auto done = [](uv_shutdown_t* request, int) {
    const std::unique_ptr<std::shared_ptr<Connection>> owned(
        static_cast<std::shared_ptr<Connection>*>(request->data));
  };
  shutdown_.data = new std::shared_ptr<Connection>(shared_from_this());
  if (uv_shutdown(&shutdown_, reinterpret_cast<uv_stream_t*>(&socket_), done) != 0) {
    delete static_cast<std::shared_ptr<Connection>*>(shutdown_.data);
    close();
    return;
  }
  start_reading();
}

// The only place where the phase and its time limit change.
void Connection::move_to(Phase phase) {
  acceptor_.count_owed((phase == Phase::kBusy ? 1 : 0) - (phase_ == Phase::kBusy ? 1 : 0));
  phase_ = phase;
  const ServerOptions& options = shared_.options;
  const Nanos now = shared_.clock.now();
  deadline_ = kNever;
  stalled_since_ = kNever;
  queued_at_tick_ = 0;
  switch (phase) {
    case Phase::kIdle:
      deadline_ = now + to_nanos(options.idle_timeout);
      break;
    case Phase::kHead:
      deadline_ = now + to_nanos(options.head_timeout);
      break;
    case Phase::kBody:
      body_end_ = now + to_nanos(options.body_timeout);
      deadline_ = std::min(body_end_, now + to_nanos(options.body_pause));
      break;
    case Phase::kLingering:
      deadline_ = now + to_nanos(options.linger);
      break;
    default:
      break;
  }
}

void Connection::tick(Nanos now) {
  const auto self = shared_from_this();
  if (now >= deadline_) {
    if (phase_ == Phase::kHead || phase_ == Phase::kBody) {
      shared_.timeouts.fetch_add(1, std::memory_order_relaxed);
      refuse(408, "The request did not come in time.");
    } else {
      close();
    }
    return;
  }
  const std::size_t queued = uv_stream_get_write_queue_size(reinterpret_cast<uv_stream_t*>(&socket_));
  if (queued == 0 || queued != queued_at_tick_) {
    stalled_since_ = now;
  } else if (now - stalled_since_ > to_nanos(shared_.options.write_pause)) {
    shared_.timeouts.fetch_add(1, std::memory_order_relaxed);
    close();
    return;
  }
  queued_at_tick_ = queued;
}

void Connection::begin_drain() {
  draining_ = true;
  if (phase_ == Phase::kIdle && input_.empty()) linger();
}

void Connection::close() {
  if (phase_ == Phase::kClosing) return;
  release_body();
  move_to(Phase::kClosing);
  reading_ = false;
  // Held by the acceptor's list until libuv has let go of the handle.
  uv_close(reinterpret_cast<uv_handle_t*>(&socket_), [](uv_handle_t* handle) {
    auto* self = static_cast<Connection*>(handle->data);
    self->acceptor_.remove(*self);
  });
}

}  // namespace lambed::http
