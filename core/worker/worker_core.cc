#include "worker/worker_core.h"

#include <pthread.h>

#include <mutex>
#include <utility>

#include "base/clock.h"
#include "environments/channel/bell.h"

namespace lambed::worker {
namespace {

// A function may fork. Its child has a copy of all this and must not answer for its parent; what it prints is welcome.
std::atomic<bool> g_is_forked_child{false};

struct StartNotices {
  std::mutex mutex;  // guards messages
  std::vector<std::string> messages;
};

StartNotices& start_notices() {
  static auto* notices = new StartNotices();
  return *notices;
}

WorkerCore& core_of(void* user) { return *static_cast<WorkerCore*>(user); }

void opened(void* user, const lambed_outcome* outcome) { core_of(user).opened(*outcome); }
lambed_take take(void* user, lambed_invocation* invocation) { return core_of(user).take(*invocation); }
void wait(void* user) { core_of(user).wait(); }
void nudge(void* user) { core_of(user).nudge(); }
void complete(void* user, uint64_t token, const lambed_outcome* outcome) {
  core_of(user).complete(token, *outcome);
}
void log(void* user, lambed_stream stream, lambed_slice bytes, int64_t realtime_us) {
  core_of(user).log(stream, bytes, realtime_us);
}
void closed(void* user) { core_of(user).closed(); }
void notice(void* user, lambed_slice message) {
  if (user != nullptr) {
    core_of(user).log(channel::kNoticeStream, message, 0);
    return;
  }
  StartNotices& notices = start_notices();
  const std::lock_guard lock(notices.mutex);
  notices.messages.emplace_back(message.data, message.size);
}
int64_t monotonic_ns() { return SystemClock().now(); }

}  // namespace

const lambed_core& WorkerCore::table() {
  static const lambed_core kTable = {
      sizeof(lambed_core), LAMBED_HOST_ABI, &worker::opened, &worker::take,   &worker::wait,   &worker::nudge,
      &worker::complete,   &worker::log,    nullptr,         &worker::closed, &worker::notice, monotonic_ns};
  return kTable;
}

std::vector<std::string> WorkerCore::take_start_notices() {
  StartNotices& notices = start_notices();
  const std::lock_guard lock(notices.mutex);
  return std::exchange(notices.messages, {});
}

WorkerCore::WorkerCore(channel::SharedMemory memory) : end_(std::move(memory)) {
  pthread_atfork(nullptr, nullptr, [] { g_is_forked_child.store(true, std::memory_order_relaxed); });
}

void WorkerCore::opened(const lambed_outcome& outcome) {
  if (g_is_forked_child.load(std::memory_order_relaxed) || is_open_.exchange(true)) return;
  end_.answer(channel::AnswerKind::kOpened, 0, outcome);
}

lambed_take WorkerCore::take(lambed_invocation& invocation) {
  if (g_is_forked_child.load(std::memory_order_relaxed)) return LAMBED_TAKE_CLOSE;
  if (!end_.take(invocation)) return LAMBED_TAKE_NOTHING;
  token_.store(invocation.token, std::memory_order_release);
  return LAMBED_TAKE_INVOCATION;
}

void WorkerCore::wait() { end_.wait(); }

// Only what runs can be completed, and only once: the server takes anything else for a breach of the protocol.
void WorkerCore::complete(std::uint64_t token, const lambed_outcome& outcome) {
  std::uint64_t running = token;
  if (token == 0 || g_is_forked_child.load(std::memory_order_relaxed) ||
      !token_.compare_exchange_strong(running, 0, std::memory_order_acq_rel)) {
    return;
  }
  end_.answer(channel::AnswerKind::kCompleted, token, outcome);
}

void WorkerCore::log(std::uint32_t stream, lambed_slice bytes, std::int64_t realtime_us) {
  if (bytes.size > 0) end_.log(stream, {bytes.data, bytes.size}, realtime_us);
}

void WorkerCore::closed() {
  closed_.store(1, std::memory_order_seq_cst);
  channel::wake_word(closed_);
}

void WorkerCore::wait_until_closed() {
  while (closed_.load(std::memory_order_seq_cst) == 0) channel::sleep_on_word(closed_, 0, kNever);
}

}  // namespace lambed::worker
