// Threads for work that may wait: the disk, a commit, unpacking. Made as they are needed, up to a number.
//
// Threads: post from any thread; jobs run on the workers' threads, in the order in which they came as far as threads are free,
// and must not throw. Life: stop() (also the destructor) runs what was posted before it, then ends the threads; later posts
// are refused.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lambed {

class Workers {
 public:
  explicit Workers(std::size_t most_threads, const char* name) : most_(most_threads), name_(name) {}
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: the workers have stopped, the job was not taken.
  bool post(std::function<void()> job);
  void stop();

 private:
  void run();

  const std::size_t most_;
  const char* const name_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wakes_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace lambed
