#include "thread_pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "node_headers.h"
#include "process.h"

namespace lambed::node_host {
namespace {

constexpr std::chrono::milliseconds kPatience{100};

// As libuv counts them.
std::size_t pool_size() {
  const char* wanted = std::getenv("UV_THREADPOOL_SIZE");
  if (wanted == nullptr) return 4;
  const auto count = static_cast<unsigned>(std::atoi(wanted));
  return std::clamp<std::size_t>(count, 1, 1024);
}

// Keeps each thread that has come until all have, so that no thread comes twice.
class Visit {
 public:
  explicit Visit(std::size_t count) : count_(count) {}

  void come() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_over(); });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [this] { return is_over(); });
    has_ended_ = true;
    changed_.notify_all();
  }

 private:
  [[nodiscard]] bool is_over() const { return has_ended_ || arrived_ == count_; }

  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  const std::size_t count_;
  std::size_t arrived_ = 0;
  bool has_ended_ = false;
};

void block_sigpipe(uv_work_t* work) {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  static_cast<Visit*>(work->data)->come();
}

}  // namespace

void block_sigpipe_on_thread_pool() {
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) return;
  std::vector<uv_work_t> works(pool_size());
  Visit visit(works.size());
  {
    const SignalShield shield;
    for (uv_work_t& work : works) {
      work.data = &visit;
      uv_queue_work(&loop, &work, block_sigpipe, nullptr);
    }
  }
  visit.wait();
  for (uv_work_t& work : works) uv_cancel(reinterpret_cast<uv_req_t*>(&work));  // what has not begun
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

}  // namespace lambed::node_host
