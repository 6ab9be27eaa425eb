#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <system_error>
#include <thread>

#include "signals.h"

namespace lambed::python {

namespace {

constexpr std::size_t kLongestRecord = 64 * 1024;  // a line longer than this is passed on in pieces

std::size_t index_of(lambed_stream stream) { return stream == LAMBED_STREAM_STDERR ? 1 : 0; }

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

Output::~Output() {
  for (const Pipe& pipe : children_) {
    if (pipe.write_end >= 0) close(pipe.write_end);
  }
}

void Output::enter_forked() {
  std::lock_guard lock(mutex_);
  is_forked_ = true;
  for (std::string& pending : pending_) pending.clear();  // the parent writes it
}

void Output::emit(lambed_stream stream, std::string_view text) {
  if (is_forked_) {
    write_all(stream == LAMBED_STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, text);
    return;
  }
  if (user_ != nullptr && !text.empty()) core_->log(user_, stream, {text.data(), text.size()}, 0);
}

void Output::write(lambed_stream stream, std::string_view text) {
  std::lock_guard lock(mutex_);
  std::string& pending = pending_[index_of(stream)];
  const std::size_t newline = text.rfind('\n');
  if (newline == std::string_view::npos) {
    pending.append(text);
    if (pending.size() < kLongestRecord) return;
    emit(stream, pending);
    pending.clear();
    return;
  }
  const std::string_view lines = text.substr(0, newline + 1);
  if (pending.empty()) {
    emit(stream, lines);
  } else {
    pending.append(lines);
    emit(stream, pending);
  }
  pending.assign(text.substr(newline + 1));
}

void Output::log(std::string_view text) {
  std::lock_guard lock(mutex_);
  emit(LAMBED_STREAM_LOG, text);
}

void Output::flush() {
  std::lock_guard lock(mutex_);
  for (const lambed_stream stream : {LAMBED_STREAM_STDOUT, LAMBED_STREAM_STDERR}) {
    std::string& pending = pending_[index_of(stream)];
    if (pending.empty()) continue;
    emit(stream, pending);
    pending.clear();
  }
}

bool Output::drain(lambed_stream stream) {
  char buffer[8192];
  for (;;) {
    // Under the lock, so that two readers cannot swap the pieces they read, nor read from a closed descriptor.
    std::lock_guard lock(mutex_);
    const int descriptor = children_[index_of(stream)].read_end;
    if (descriptor < 0) return false;
    const ssize_t got = read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      emit(stream, std::string_view(buffer, static_cast<std::size_t>(got)));
      continue;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
  }
}

void Output::drain_children() {
  drain(LAMBED_STREAM_STDOUT);
  drain(LAMBED_STREAM_STDERR);
}

void Output::end_of_invocation() {
  flush();
  if (has_children_.load(std::memory_order_relaxed)) drain_children();
}

int Output::child_descriptor(const std::shared_ptr<Output>& output, lambed_stream stream) {
  std::lock_guard lock(output->mutex_);
  Pipe& pipe = output->children_[index_of(stream)];
  if (pipe.write_end >= 0 || output->user_ == nullptr) return pipe.write_end;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  // Only our end may be non-blocking: programs do not expect EAGAIN from their stdout.
  fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_NONBLOCK);
  try {
    const AllSignalsBlocked blocked;  // the application's signals stay with its own threads
    std::thread(follow, output, stream, ends[0]).detach();
  } catch (const std::system_error&) {
    close(ends[0]);
    close(ends[1]);
    return -1;
  }
  pipe = {ends[0], ends[1]};
  output->has_children_.store(true, std::memory_order_relaxed);
  return pipe.write_end;
}

void Output::follow(std::shared_ptr<Output> output, lambed_stream stream, int descriptor) {
  bool open = true;
  while (open) {
    pollfd ready = {descriptor, POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) break;
    open = output->drain(stream);
  }
  std::lock_guard lock(output->mutex_);
  output->children_[index_of(stream)].read_end = -1;
  close(descriptor);
}

void Output::shut() {
  end_of_invocation();
  std::lock_guard lock(mutex_);
  user_ = nullptr;
  for (Pipe& pipe : children_) {
    if (pipe.write_end >= 0) close(pipe.write_end);
    pipe.write_end = -1;
  }
}

}  // namespace lambed::python
