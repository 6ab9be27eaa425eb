// What a test and a worker of tests/worker_driver say to each other: frames of JSON on a stream socket, and how the test asks the
// driver for a worker. Both ends use this file from one thread at a time, but for `send_frame`, whose callers take turns.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace lambed::testing {

// The driver's end of the socket on which it takes requests.
inline constexpr int kControlDescriptor = 3;
// The driver's answer when the plugin was loaded (and started, if it can be forked).
struct DriverState {
  int threads = 0;
  char problem[256] = "";
};
// A request to the driver: kFork comes with two descriptors, the worker's socket and what becomes its 1 and 2.
struct DriverRequest {
  enum Kind : int { kFork = 1, kWait = 2 };
  int kind = 0;
  int pid = 0;  // kWait
};
struct DriverReply {
  int pid = 0;      // kFork; 0: before_fork refused
  int threads = 0;  // of the driver just before the fork
  int status = 0;   // kWait: as waitpid gives it
};

// False when the other end is gone.
bool send_frame(int socket, const nlohmann::json& message);
// Takes whole frames out of what has been read so far.
class FrameReader {
 public:
  // Reads once; blocks if there is nothing. False at the end of the stream.
  bool read_some(int socket);
  std::optional<nlohmann::json> next();

 private:
  std::string bytes_;
  std::size_t begin_ = 0;
};

// Both return what the system call does; `descriptors` are duplicated into the receiver.
bool send_request(int socket, const DriverRequest& request, const int* descriptors, int count);
bool receive_request(int socket, DriverRequest& request, int* descriptors, int count);

}  // namespace lambed::testing
