// Where the logs of all functions of a server meet: kept in memory for `lambed logs`, given on to followers, and written to
// another sink.
// Threads: any. `write` comes from the environments' threads and costs no followers nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"
#include "lambed/telemetry.h"

namespace lambed::api {

class LogHub {
 public:
  // `next` may be null.
  explicit LogHub(std::shared_ptr<LogSink> next, std::size_t kept_bytes = 16 << 20)
      : next_(std::move(next)), kept_(kept_bytes) {}

  // A sink for the functions of one account and region, which is what `scope` says. The hub must outlive it.
  std::shared_ptr<LogSink> sink_for(std::string scope);

  // What was kept of a function's log since then.
  std::string text_of(const std::string& scope, std::string_view function,
                      std::chrono::system_clock::time_point since) const;
  // From now on `stream` gets that function's log, until it is closed.
  void follow(std::string scope, std::string function, std::shared_ptr<http::BodyStream> stream);
  // Ends all streams: for a server that stops.
  void end_followers();

  // A line of the server's own, for the operator.
  void notice(const std::string& text) const;

 private:
  class ScopeSink;
  struct Follower {
    std::string scope, function;
    std::shared_ptr<http::BodyStream> stream;
  };

  void write(const std::string& scope, const LogRecord& record);

  const std::shared_ptr<LogSink> next_;
  MemoryLogSink kept_;
  std::atomic<int> following_{0};
  std::mutex mutex_;  // guards followers_ and ended_
  std::vector<Follower> followers_;
  bool ended_ = false;
};

}  // namespace lambed::api
