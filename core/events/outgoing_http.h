// Outgoing HTTP requests, many at a time on one thread of their own (libcurl's multi interface).
//
// Threads: send from any thread, never blocks; `done` runs on the client's thread, exactly once, and must not block or throw. The
// thread is made by the first request and sleeps while there is none under way.
// Life: the destructor ends what is under way with kStopped and then the thread; where a `done` lets go of the client, on that very
// thread, they end after it has returned. In a child of fork() the object is to be left as it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lambed::events {

// What an AWS request is signed with.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // "" for none
};

struct OutgoingRequest {
  std::string method = "POST";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  // Signature version 4 when there is a service; libcurl makes it.
  std::string service, region;
  Credentials credentials;
};

struct OutgoingAnswer {
  enum class Trouble : std::uint8_t {
    kNone,
    kUnreachable,  // no connection, no answer in time, one that broke off
    kImpossible,   // the request itself cannot be sent
    kStopped       // the client ended
  };
  Trouble trouble = Trouble::kNone;
  std::string words;  // of the trouble, without the request's content
  int status = 0;
  std::string body;  // at most kMostAnswer
};

class OutgoingHttp {
 public:
  struct Limits {
    std::chrono::milliseconds connect{5000};
    std::chrono::milliseconds whole{20'000};  // of one request
    std::size_t at_once = 32;                 // requests under way; others wait
  };
  static constexpr std::size_t kMostAnswer = 64 * 1024;

  explicit OutgoingHttp(Limits limits);
  ~OutgoingHttp();
  OutgoingHttp(const OutgoingHttp&) = delete;
  OutgoingHttp& operator=(const OutgoingHttp&) = delete;

  void send(OutgoingRequest request, std::function<void(OutgoingAnswer)> done);

 private:
  class Loop;
  std::shared_ptr<Loop> loop_;  // the thread's, too
};

}  // namespace lambed::events
