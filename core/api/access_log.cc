#include "api/access_log.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace lambed::api {
namespace {

constexpr std::size_t kMostWaiting = 10'000;
constexpr int kStalledReaderMs = 1000;

}  // namespace

AccessLog::AccessLog(int descriptor) : descriptor_(descriptor), thread_([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wakes_.notify_all();
  thread_.join();
  if (descriptor_ > 2) ::close(descriptor_);
}

void AccessLog::write(std::string line) {
  {
    std::lock_guard lock(mutex_);
    if (lines_.size() >= kMostWaiting) {
      ++dropped_;
      return;
    }
    lines_.push_back(std::move(line));
    if (lines_.size() > 1) return;  // the thread is awake or about to be
  }
  wakes_.notify_one();
}

std::uint64_t AccessLog::dropped() {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void AccessLog::run() {
  // A pipe without a reader must not end the program.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  std::unique_lock lock(mutex_);
  for (;;) {
    wakes_.wait(lock, [this] { return ending_ || !lines_.empty(); });
    if (lines_.empty()) return;
    std::string text;
    for (const std::string& line : std::exchange(lines_, {})) text += line;
    const bool ending = ending_;
    lock.unlock();
    std::string_view left = text;
    while (!left.empty()) {
      const ssize_t written = ::write(descriptor_, left.data(), left.size());
      if (written >= 0) {
        left.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN) {
        pollfd writable{descriptor_, POLLOUT, 0};
        if (::poll(&writable, 1, kStalledReaderMs) == 0 && ending) break;
      } else if (errno != EINTR) {
        break;
      }
    }
    lock.lock();
  }
}

}  // namespace lambed::api
