#include "telemetry/descriptor_sink.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>

namespace lambed {
namespace telemetry {
namespace {

// A reader that stands still this long loses the rest of the record: a log must not stop the functions.
constexpr int kStalledReaderMs = 1000;

// Keeps a SIGPIPE raised by write(2) from ending the application: embedded interpreters do not ignore it. The
// signal goes to the writing thread, so it is blocked there and, if the write raised it, taken out again.
class PipeSignalGuard {
 public:
  PipeSignalGuard() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~PipeSignalGuard() {
    if (raised_ && !was_pending_) {
      const timespec now{};
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalGuard(const PipeSignalGuard&) = delete;
  PipeSignalGuard& operator=(const PipeSignalGuard&) = delete;

  void note_broken_pipe() { raised_ = true; }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
  bool raised_ = false;
};

bool is_platform(LogKind kind) {
  return kind == LogKind::kInitStart || kind == LogKind::kStart || kind == LogKind::kEnd ||
         kind == LogKind::kReport;
}

class DescriptorSink final : public LogSink {
 public:
  DescriptorSink(int descriptor, bool platform) : descriptor_(descriptor), platform_(platform) {}

  void write(const LogRecord& record) override {
    if (record.text.empty() || (!platform_ && is_platform(record.kind))) return;
    if (record.text.back() == '\n') {
      write_all(record.text);
      return;
    }
    std::string line(record.text);
    line += '\n';
    write_all(line);
  }

 private:
  void write_all(std::string_view text) const {
    PipeSignalGuard guard;
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        pollfd writable{descriptor_, POLLOUT, 0};
        if (::poll(&writable, 1, kStalledReaderMs) == 0) return;
      } else if (errno != EINTR) {
        if (errno == EPIPE) guard.note_broken_pipe();
        return;  // closed, full or broken: there is nowhere left to say so
      }
    }
  }

  const int descriptor_;
  const bool platform_;
};

}  // namespace

std::shared_ptr<LogSink> make_descriptor_sink(int descriptor, bool platform) {
  return std::make_shared<DescriptorSink>(descriptor, platform);
}

}  // namespace telemetry

std::shared_ptr<LogSink> make_stderr_sink(bool platform) {
  return telemetry::make_descriptor_sink(STDERR_FILENO, platform);
}

}  // namespace lambed
