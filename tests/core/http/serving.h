// A server on a free port with an application that a test scripts.
#pragma once

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "http/server.h"

namespace lambed::testing {

using namespace std::chrono_literals;

// Echoes; what a path begins with decides:
//   /echo      the body          /size   how long the body was      /hold  answered by release()
//   /stream    three chunks      /stop   refused by admit           /drop  never answered
class EchoApplication : public http::Application {
 public:
  std::atomic<std::uint64_t> body_limit{1 << 20};

  Admission admit(const http::Request& head) override {
    Admission admission;
    admission.body_limit = body_limit.load();
    if (head.path() == "/stop") {
      admission.refusal.emplace();
      admission.refusal->status = 403;
      admission.refusal->body = "stop";
    }
    return admission;
  }
  void handle(http::Exchange exchange) override {
    const std::string path(exchange.request().path());
    http::Response response;
    if (path == "/hold") {
      std::lock_guard lock(mutex_);
      held_.push_back(exchange);
      return;
    }
    if (path == "/drop") return;
    if (path == "/stream") {
      response.with("Content-Type", "text/plain");
      const auto stream = exchange.stream(std::move(response));
      for (const char* piece : {"one ", "two ", "three"}) stream->write(piece);
      return;
    }
    response.body =
        path == "/size" ? std::to_string(exchange.request().body.size()) : exchange.request().body;
    if (path == "/target") response.body = exchange.request().target;
    exchange.respond(std::move(response));
  }
  http::Response refuse(int status, std::string_view why, const http::Request*, std::uint64_t) override {
    http::Response response;
    response.status = status;
    response.body = why;
    return response;
  }

  std::size_t held() {
    std::lock_guard lock(mutex_);
    return held_.size();
  }
  // The oldest that waits; the test answers it.
  http::Exchange take() {
    std::lock_guard lock(mutex_);
    http::Exchange first = held_.front();
    held_.erase(held_.begin());
    return first;
  }
  void release(const std::string& body = "released") {
    std::vector<http::Exchange> exchanges;
    {
      std::lock_guard lock(mutex_);
      exchanges.swap(held_);
    }
    for (const http::Exchange& exchange : exchanges) {
      http::Response response;
      response.body = body;
      exchange.respond(std::move(response));
    }
  }

 private:
  std::mutex mutex_;  // guards held_
  std::vector<http::Exchange> held_;
};

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds patience = 60s) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

struct Serving {
  explicit Serving(http::ServerOptions options = {}) : server(std::move(options), application) {}
  ~Serving() { application.release(); }

  EchoApplication application;
  http::Server server;

  http::Client client() const { return http::Client("127.0.0.1", server.port(), 20s); }
  http::Response ask(const std::string& method, const std::string& target,
                     const std::string& body = {}) const {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    http::Client one = client();
    return one.send(request);
  }
};

inline std::string header_of(const http::Response& response, std::string_view name) {
  for (const http::Header& header : response.headers) {
    if (http::same_name(header.name, name)) return header.value;
  }
  return {};
}

}  // namespace lambed::testing
