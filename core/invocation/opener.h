// The thread that opens environments: starting an interpreter takes up to a second and must hold up neither the core loop
// nor a caller. One per gateway; it starts with the first task.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace lambed::invocation {

class Opener {
 public:
  Opener() = default;
  ~Opener();
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

  // Runs `task` on the opener's thread, in order. Any thread. False after stop().
  bool post(std::function<void()> task);
  // Finishes what was posted and ends the thread. Not from the opener's thread.
  void stop();

 private:
  void run();

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace lambed::invocation
