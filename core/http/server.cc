#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

#include "base/parker.h"
#include "http/connection.h"
#include "http/failure.h"

namespace lambed::http {
namespace {

using namespace std::chrono_literals;

constexpr int kBacklog = 1024;
constexpr Nanos kTick = 100'000'000;

class Address {
 public:
  Address(const std::string& host, std::uint16_t port) {
    if (uv_ip4_addr(host.c_str(), port, reinterpret_cast<sockaddr_in*>(&storage_)) == 0) {
      size_ = sizeof(sockaddr_in);
    } else if (uv_ip6_addr(host.c_str(), port, reinterpret_cast<sockaddr_in6*>(&storage_)) == 0) {
      size_ = sizeof(sockaddr_in6);
    } else {
      fail(EINVAL, host + " is not an IP address");
    }
  }
  int family() const { return storage_.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// A bound socket; -1 with errno.
int bound_socket(const Address& address, bool shared) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return -1;
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(socket, address.get(), address.size()) != 0) {
    const int error = errno;
    ::close(socket);
    errno = error;
    return -1;
  }
  return socket;
}

std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return address.ss_family == AF_INET ? ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port)
                                      : ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
}

// Runs `action` on the loop and waits for it.
template <class Action>
void run_on(CoreLoop& loop, Action action) {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
  if (!loop.post([&] {
        action();
        std::lock_guard lock(mutex);
        done = true;
        done_changed.notify_all();
      }))
    return;
  std::unique_lock lock(mutex);
  done_changed.wait(lock, [&] { return done; });
}

}  // namespace

// ---- The acceptor.

Acceptor::Acceptor(std::shared_ptr<Server::Shared> shared, std::shared_ptr<CoreLoop> loop)
    : shared_(std::move(shared)), loop_(std::move(loop)) {}

int Acceptor::listen(int socket) {
  int status = 0;
  run_on(*loop_, [&] {
    uv_tcp_init(loop_->uv(), &listener_);
    listener_.data = this;
    listening_ = true;
    ++handles_;
    status = uv_tcp_open(&listener_, socket);
    if (status != 0) {
      ::close(socket);
    } else {
      status = uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), kBacklog,
                         [](uv_stream_t* stream, int problem) {
                           // Out of descriptors, say: the next one may find some again.
                           if (problem == 0) static_cast<Acceptor*>(stream->data)->accept();
                         });
    }
    // Many answers take microseconds; being woken for each would cost more than the rest of it. With several owed, sockets have
    // something to say as well.
    loop_->set_spin_time([this](bool) {
      return owed_ == 0 ? 0 : owed_ == 1 ? Parker::kSpin : Parker::kSpinAmongOthers;
    });
    uv_timer_init(loop_->uv(), &ticker_);
    ticker_.data = this;
    ticking_ = true;
    ++handles_;
    next_tick_ = shared_->clock.now() + kTick;
    uv_timer_start(
        &ticker_, [](uv_timer_t* timer) { static_cast<Acceptor*>(timer->data)->tick(); }, kTick / 1'000'000,
        kTick / 1'000'000);
  });
  return status;
}

void Acceptor::accept() {
  auto connection = std::make_shared<Connection>(*this);
  connections_.push_front(connection);
  connection->place = connections_.begin();
  const auto open = shared_->open.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!connection->accept_from(reinterpret_cast<uv_stream_t*>(&listener_))) {
    connection->close();
    return;
  }
  shared_->opened.fetch_add(1, std::memory_order_relaxed);
  if (open > static_cast<std::uint64_t>(shared_->options.max_connections)) {
    shared_->refused.fetch_add(1, std::memory_order_relaxed);
    connection->close();
  }
}

void Acceptor::remove(Connection& connection) {
  shared_->open.fetch_sub(1, std::memory_order_relaxed);
  connections_.erase(connection.place);  // the last holder, unless an exchange looks at it just now
}

void Acceptor::tick() {
  const Nanos now = shared_->clock.now();
  const Nanos lag = now - next_tick_;
  if (lag > shared_->worst_lag.load(std::memory_order_relaxed)) {
    shared_->worst_lag.store(lag, std::memory_order_relaxed);
  }
  next_tick_ = now + kTick;
  // Closing takes a connection out of the list only later, by the loop.
  for (const auto& connection : connections_) connection->tick(now);
}

const std::string& Acceptor::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_at_) {
    date_at_ = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    char text[40];
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  return date_;
}

void Acceptor::close_handle(uv_handle_t* handle) {
  uv_close(handle, [](uv_handle_t* closed) { --static_cast<Acceptor*>(closed->data)->handles_; });
}

void Acceptor::close_listener() {
  if (!listening_) return;
  listening_ = false;
  close_handle(reinterpret_cast<uv_handle_t*>(&listener_));
}

void Acceptor::stop_listening() {
  run_on(*loop_, [this] {
    close_listener();
    for (const auto& connection : connections_) connection->begin_drain();
  });
}

void Acceptor::close_everything() {
  run_on(*loop_, [this] {
    close_listener();
    if (ticking_) close_handle(reinterpret_cast<uv_handle_t*>(&ticker_));
    ticking_ = false;
    for (const auto& connection : connections_) connection->close();
  });
  // libuv tells of a closed handle one turn of the loop later.
  for (bool left = true; left;) {
    left = false;
    run_on(*loop_, [&] { left = !connections_.empty() || handles_ > 0; });
    if (left) std::this_thread::sleep_for(1ms);
  }
}

// ---- The server.

Server::Server(ServerOptions options, Application& application)
    : shared_(std::make_shared<Shared>(std::move(options), application)) {
  const ServerOptions& wanted = shared_->options;
  // Without SO_REUSEPORT first: that finds another program on the port, which would otherwise get a part of the connections.
  const int probe = bound_socket(Address(wanted.host, wanted.port), false);
  if (probe < 0) fail(errno, "cannot listen on " + wanted.host + ":" + std::to_string(wanted.port));
  port_ = port_of(probe);
  ::close(probe);
  const auto clock = std::make_shared<SystemClock>();
  std::vector<int> sockets;
  for (int i = 0; i < std::max(1, wanted.loops); ++i) {
    const int socket = bound_socket(Address(wanted.host, port_), true);
    if (socket < 0) {
      const int error = errno;
      for (const int bound : sockets) ::close(bound);
      fail(error, "cannot listen on " + wanted.host + ":" + std::to_string(port_));
    }
    sockets.push_back(socket);
  }
  int status = 0;
  for (const int socket : sockets) {
    auto acceptor = std::make_shared<Acceptor>(shared_, CoreLoop::start(clock));
    if (const int problem = acceptor->listen(socket); problem != 0) status = problem;
    acceptors_.push_back(std::move(acceptor));
  }
  if (status != 0) {
    for (const auto& acceptor : acceptors_) {
      acceptor->close_everything();
      acceptor->loop().stop();
    }
    fail(-status, "cannot listen on " + wanted.host + ":" + std::to_string(port_));
  }
}

Server::~Server() {
  for (const auto& acceptor : acceptors_) {
    acceptor->close_everything();
    acceptor->loop().stop();
  }
}

bool Server::drain(std::chrono::milliseconds limit) {
  shared_->draining.store(true);
  for (const auto& acceptor : acceptors_) acceptor->stop_listening();
  const Nanos end = shared_->clock.now() + to_nanos(limit);
  while (shared_->open.load() > 0) {
    if (shared_->clock.now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

ServerStatus Server::status() {
  ServerStatus status;
  status.connections_opened = shared_->opened.load();
  status.connections_open = shared_->open.load();
  status.connections_refused = shared_->refused.load();
  status.requests = shared_->requests.load();
  status.malformed = shared_->malformed.load();
  status.timeouts = shared_->timeouts.load();
  status.worst_lag = std::chrono::nanoseconds(shared_->worst_lag.exchange(0));
  return status;
}

}  // namespace lambed::http
