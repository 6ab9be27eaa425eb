// One line of JSON for each request, written by a thread of its own: a reader that stands still stops no request.
// Threads: any. Lines that find 10,000 others waiting are dropped and counted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace lambed::api {

class AccessLog {
 public:
  // Takes over the descriptor unless it is 0, 1 or 2.
  explicit AccessLog(int descriptor);
  ~AccessLog();  // writes what waits
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void write(std::string line);
  std::uint64_t dropped();

 private:
  void run();

  const int descriptor_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wakes_;
  std::deque<std::string> lines_;
  std::uint64_t dropped_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lambed::api
