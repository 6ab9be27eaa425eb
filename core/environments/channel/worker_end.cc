#include "environments/channel/worker_end.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include "environments/channel/bell.h"

namespace lambed::channel {
namespace {

constexpr auto kPlain = std::memory_order_relaxed;
// How long a writer sleeps before it looks again whether the ring has room.
constexpr Nanos kRoomPause = 100'000'000;
// Fuller than this, the ring is worth waking the server for; otherwise it comes by in time by itself.
constexpr std::uint64_t kWorthWaking = kLogBytes / 2;

std::int64_t realtime_us_now() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

}  // namespace

// Held by one process of the tree at a time. Whoever died with it has published nothing: its record is written over.
class WorkerEnd::LogLock {
 public:
  explicit LogLock(pthread_mutex_t& mutex) : mutex_(mutex) {
    if (pthread_mutex_lock(&mutex_) == EOWNERDEAD) pthread_mutex_consistent(&mutex_);
  }
  ~LogLock() { pthread_mutex_unlock(&mutex_); }
  LogLock(const LogLock&) = delete;
  LogLock& operator=(const LogLock&) = delete;

 private:
  pthread_mutex_t& mutex_;
};

WorkerEnd::WorkerEnd(SharedMemory memory) : memory_(std::move(memory)) {
  static_assert(sizeof(pthread_mutex_t) <= sizeof(Page::log_lock));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&log_mutex(), &attributes);
  pthread_mutexattr_destroy(&attributes);
}

bool WorkerEnd::take(lambed_invocation& invocation) {
  Page& p = page();
  const std::uint32_t number = p.order_number.load(std::memory_order_acquire);
  if (number == taken_) return false;
  taken_ = number;
  const char* at = memory_.order();
  const auto next = [&at](std::size_t size) {
    const lambed_slice slice{at, size};
    at += size;
    return slice;
  };
  std::array<lambed_slice, kTextCount> texts{};
  for (std::size_t i = 0; i < kTextCount; ++i) texts[i] = next(p.order_text_sizes[i].load(kPlain));
  invocation.event = next(p.order_event_size.load(kPlain));
  invocation.token = p.order_token.load(kPlain);
  invocation.request_id = texts[kRequestId];
  invocation.invoked_function_arn = texts[kInvokedArn];
  invocation.function_version = texts[kFunctionVersion];
  invocation.client_context = texts[kClientContext];
  invocation.cognito_identity = texts[kCognitoIdentity];
  invocation.trace_id = texts[kTraceId];
  invocation.tenant_id = texts[kTenantId];
  invocation.deadline = p.order_deadline.load(kPlain);
  invocation.deadline_epoch_ms = p.order_deadline_epoch_ms.load(kPlain);
  p.order_begun.store(number, std::memory_order_release);
  return true;
}

void WorkerEnd::wait() {
  Page& p = page();
  const std::uint32_t seen = p.to_worker.rung.load(std::memory_order_acquire);
  if (p.order_number.load(std::memory_order_acquire) != taken_ || nudged_.exchange(false)) return;
  sleep_on(p.to_worker, seen, kNever);
}

void WorkerEnd::nudge() {
  nudged_.store(true);
  ring_loudly(page().to_worker);
}

void WorkerEnd::answer(AnswerKind kind, std::uint64_t token, const lambed_outcome& outcome) {
  Page& p = page();
  std::string_view payload(outcome.payload.data, outcome.payload.size);
  std::string_view error_type(outcome.error_type.data, std::min<std::size_t>(outcome.error_type.size, 4096));
  std::string shortened;
  std::uint64_t said_size = payload.size();
  const std::uint64_t room = memory_.sizes().answer - error_type.size();
  if (payload.size() > room && outcome.kind == LAMBED_OUTCOME_SUCCESS) {
    // The area is larger than any result that is allowed: a full one says that this one is not, and nobody reads its bytes.
    payload = {};
    error_type = {};
    said_size = memory_.sizes().answer;
  } else if (payload.size() > room) {
    shortened = R"({"errorType":"Runtime.ErrorTooLarge","errorMessage":"The error document of )" +
                std::to_string(payload.size()) +
                R"( bytes is larger than a response may be. Raise errors with shorter messages."})";
    payload = shortened;
    said_size = payload.size();
  }
  if (!payload.empty()) std::memcpy(memory_.answer(), payload.data(), payload.size());
  if (!error_type.empty())
    std::memcpy(memory_.answer() + payload.size(), error_type.data(), error_type.size());
  p.answer_kind.store(static_cast<std::uint32_t>(kind), kPlain);
  p.outcome_kind.store(outcome.kind, kPlain);
  p.outcome_flags.store(outcome.flags, kPlain);
  p.exit_code.store(outcome.exit_code, kPlain);
  p.term_signal.store(outcome.term_signal, kPlain);
  p.answer_token.store(token, kPlain);
  p.payload_size.store(said_size, kPlain);
  p.error_type_size.store(error_type.size(), kPlain);
  p.memory_peak.store(outcome.memory_peak, kPlain);
  p.answer_number.fetch_add(1, std::memory_order_release);
  ring(p.to_server);
}

void WorkerEnd::copy_to_log(std::uint64_t at, const void* from, std::size_t bytes) const {
  const std::uint64_t to = at % kLogBytes;
  const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kLogBytes - to));
  std::memcpy(memory_.log() + to, from, first);
  std::memcpy(memory_.log(), static_cast<const char*>(from) + first, bytes - first);
}

void WorkerEnd::log_piece(std::uint32_t stream, std::string_view bytes, std::int64_t realtime_us) {
  Page& p = page();
  const std::uint64_t needed = record_bytes(bytes.size());
  const LogLock lock(log_mutex());
  const std::uint64_t written = p.log_written.load(kPlain);
  while (kLogBytes - (written - p.log_taken.load(std::memory_order_seq_cst)) < needed) {
    p.log_waits.store(1, std::memory_order_seq_cst);
    const std::uint32_t seen = p.log_room.load(std::memory_order_seq_cst);
    ring(p.to_server);
    if (kLogBytes - (written - p.log_taken.load(std::memory_order_seq_cst)) < needed)
      sleep_on_word(p.log_room, seen, kRoomPause);
    p.log_waits.store(0, std::memory_order_seq_cst);
  }
  const LogRecord record{static_cast<std::uint32_t>(bytes.size()), stream, realtime_us};
  copy_to_log(written, &record, sizeof record);
  copy_to_log(written + sizeof record, bytes.data(), bytes.size());
  p.log_written.store(written + needed, std::memory_order_release);
  if (written + needed - p.log_taken.load(kPlain) > kWorthWaking) ring(p.to_server);
}

void WorkerEnd::log(std::uint32_t stream, std::string_view bytes, std::int64_t realtime_us) {
  if (realtime_us == 0) realtime_us = realtime_us_now();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kLongestRecord);
    log_piece(stream, piece, realtime_us);
    bytes.remove_prefix(piece.size());
  }
}

}  // namespace lambed::channel
