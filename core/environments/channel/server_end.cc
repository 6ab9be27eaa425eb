#include "environments/channel/server_end.h"

#include <algorithm>
#include <cstring>

#include "base/parker.h"
#include "environments/channel/bell.h"

namespace lambed::channel {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// Names of errors are short; a long one is no reason to allocate much.
constexpr std::uint64_t kLongestErrorType = 4096;

Nanos monotonic() { return SystemClock().now(); }

}  // namespace

bool ServerEnd::post(const Order& order) {
  std::uint64_t bytes = order.event.size();
  for (const std::string_view text : order.texts) bytes += text.size();
  if (bytes > memory_.sizes().order) return false;
  char* at = memory_.order();
  Page& p = page();
  for (std::size_t i = 0; i < kTextCount; ++i) {
    p.order_text_sizes[i].store(static_cast<std::uint32_t>(order.texts[i].size()), kRelaxed);
    at = std::copy(order.texts[i].begin(), order.texts[i].end(), at);
  }
  if (!order.event.empty()) std::memcpy(at, order.event.data(), order.event.size());
  p.order_event_size.store(order.event.size(), kRelaxed);
  p.order_token.store(order.token, kRelaxed);
  p.order_deadline.store(order.deadline, kRelaxed);
  p.order_deadline_epoch_ms.store(order.deadline_epoch_ms, kRelaxed);
  p.order_number.store(++orders_, std::memory_order_release);
  ring(p.to_worker);
  return true;
}

bool ServerEnd::order_was_begun() const {
  return page().order_begun.load(std::memory_order_acquire) == orders_;
}

News ServerEnd::look(Answer& answer) {
  const Page& p = page();
  const std::uint32_t number = p.answer_number.load(std::memory_order_acquire);
  if (number == answers_seen_) return News::kNothing;
  if (number != answers_seen_ + 1) return News::kBroken;  // each answer is waited for
  answers_seen_ = number;

  const std::uint32_t kind = p.answer_kind.load(kRelaxed);
  const std::uint32_t outcome = p.outcome_kind.load(kRelaxed);
  const std::uint64_t payload_size = p.payload_size.load(kRelaxed);
  const std::uint64_t error_type_size = p.error_type_size.load(kRelaxed);
  if (kind != static_cast<std::uint32_t>(AnswerKind::kOpened) &&
      kind != static_cast<std::uint32_t>(AnswerKind::kCompleted)) {
    return News::kBroken;
  }
  if (outcome > LAMBED_OUTCOME_REFUSED) return News::kBroken;
  const std::uint64_t room = memory_.sizes().answer;
  if (payload_size > room || error_type_size > kLongestErrorType || error_type_size > room - payload_size)
    return News::kBroken;

  answer.kind = static_cast<AnswerKind>(kind);
  answer.outcome = static_cast<lambed_outcome_kind>(outcome);
  answer.token = p.answer_token.load(kRelaxed);
  answer.flags = p.outcome_flags.load(kRelaxed) & (LAMBED_OUTCOME_DISCARD | LAMBED_OUTCOME_BINARY);
  answer.exit_code = p.exit_code.load(kRelaxed);
  answer.term_signal = p.term_signal.load(kRelaxed);
  answer.memory_peak = p.memory_peak.load(kRelaxed);
  answer.payload = {memory_.answer(), payload_size};
  answer.error_type.assign(memory_.answer() + payload_size, error_type_size);
  return News::kAnswer;
}

void ServerEnd::copy_from_log(std::uint64_t at, void* into, std::size_t bytes) const {
  const std::uint64_t from = at % kLogBytes;
  const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kLogBytes - from));
  std::memcpy(into, memory_.log() + from, first);
  std::memcpy(static_cast<char*>(into) + first, memory_.log(), bytes - first);
}

bool ServerEnd::take_log(const TakeRecord& take) {
  Page& p = page();
  const std::uint64_t written = p.log_written.load(std::memory_order_acquire);
  if (written == log_taken_) return true;
  if (written - log_taken_ > kLogBytes) return false;
  while (log_taken_ != written) {
    const std::uint64_t left = written - log_taken_;
    LogRecord record{};
    if (left < sizeof record) return false;
    copy_from_log(log_taken_, &record, sizeof record);
    if (record.size > kLongestRecord || record_bytes(record.size) > left) return false;
    record_.resize(record.size);
    copy_from_log(log_taken_ + sizeof record, record_.data(), record.size);
    log_taken_ += record_bytes(record.size);
    take(record.stream, record_, record.realtime_us);
  }
  p.log_taken.store(log_taken_, std::memory_order_seq_cst);
  if (p.log_waits.load(std::memory_order_seq_cst) != 0) {
    p.log_room.fetch_add(1, std::memory_order_seq_cst);
    wake_word(p.log_room);
  }
  return true;
}

void ServerEnd::wait(std::uint32_t seen, Nanos timeout, Nanos spin) {
  if (spin > 0 && Spinners::try_enter()) {
    const Nanos end = monotonic() + spin;
    bool rung = false;
    do {
      for (int i = 0; i < 32 && !rung; ++i) {
        rung = bell() != seen;
        if (!rung) pause_briefly();
      }
    } while (!rung && monotonic() < end);
    Spinners::leave();
    if (rung) return;
  }
  sleep_on(page().to_server, seen, timeout);
}

void ServerEnd::ring_server() { ring_loudly(page().to_server); }

}  // namespace lambed::channel
