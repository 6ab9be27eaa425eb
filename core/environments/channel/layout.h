// What the server and a worker share: one sealed memfd for each execution environment, laid out like this.
//
//     Page           the words below
//     log ring       kLogBytes; records that the worker appends and the server takes out
//     order area     the texts of an invocation and its event; written by the server
//     answer area    a result and its error type; written by the worker
//
// The two take turns: the server writes an order and rings `to_worker`, the worker writes an answer and rings `to_server`.
//
// Trust goes one way. The worker runs foreign code and may write any byte of this memory at any time, also while the server
// reads. So the server loads each word once, into memory of its own, checks it there, and remembers its own place in the
// ring by itself. Every word is atomic, which also keeps the compiler from loading one twice. The seals keep the file at its
// size: whoever could shrink it could kill the server by SIGBUS.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lambed::channel {

inline constexpr std::uint32_t kMagic = 0x6c616d62;
inline constexpr std::uint64_t kLogBytes = std::uint64_t{64} * 1024;
inline constexpr std::uint64_t kPageBytes = 4096;
// Beside the event: ids, the client context and what else an invocation carries. Beside a result: the name of its error.
inline constexpr std::uint64_t kTextBytes = std::uint64_t{64} * 1024;

// Of an order, in the order in which they lie in its area, before the event.
enum Text : std::size_t {
  kRequestId,
  kInvokedArn,
  kFunctionVersion,
  kClientContext,
  kCognitoIdentity,
  kTraceId,
  kTenantId,
  kTextCount
};

enum class AnswerKind : std::uint32_t { kNone = 0, kOpened = 1, kCompleted = 2 };

// A word that one side sleeps on and the other one rings. `sleeps` spares the ringer a system call while nobody does.
struct Bell {
  std::atomic<std::uint32_t> rung{0};
  std::atomic<std::uint32_t> sleeps{0};
};

struct Page {
  std::atomic<std::uint32_t> magic{0};
  std::atomic<std::uint32_t> unused{0};
  std::atomic<std::uint64_t> order_bytes{0};
  std::atomic<std::uint64_t> answer_bytes{0};

  // ---- Written by the server.
  alignas(64) Bell to_worker;
  std::atomic<std::uint32_t> order_number{0};  // counts the orders
  std::atomic<std::uint32_t> log_room{0};      // rung by the server when it has taken records out
  std::atomic<std::uint64_t> log_taken{
      0};  // bytes of records taken, for the worker to see how much room there is
  std::atomic<std::uint64_t> order_token{0};
  std::atomic<std::int64_t> order_deadline{0};
  std::atomic<std::int64_t> order_deadline_epoch_ms{0};
  std::atomic<std::uint64_t> order_event_size{0};
  std::array<std::atomic<std::uint32_t>, kTextCount> order_text_sizes{};

  // ---- Written by the worker.
  alignas(64) Bell to_server;
  std::atomic<std::uint32_t> answer_number{0};  // counts the answers
  std::atomic<std::uint32_t> order_begun{0};    // the number of the last order that it took
  std::atomic<std::uint64_t> log_written{0};    // bytes of records written since the beginning
  std::atomic<std::uint32_t> log_waits{0};      // a writer sleeps on log_room
  std::atomic<std::uint32_t> answer_kind{0};
  std::atomic<std::uint32_t> outcome_kind{0};
  std::atomic<std::uint32_t> outcome_flags{0};
  std::atomic<std::int32_t> exit_code{0};
  std::atomic<std::int32_t> term_signal{0};
  std::atomic<std::uint64_t> answer_token{0};
  std::atomic<std::uint64_t> payload_size{0};
  std::atomic<std::uint64_t> error_type_size{0};
  std::atomic<std::uint64_t> memory_peak{0};

  // ---- The worker's alone: keeps the processes of its tree apart that write to the log. See WorkerEnd.
  alignas(64) std::array<unsigned char, 128> log_lock{};
};
static_assert(sizeof(Page) <= kPageBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// A record of the log; `size` bytes follow, and then as many as make it a multiple of 8. A record may wrap round.
struct LogRecord {
  std::uint32_t size;
  std::uint32_t stream;  // lambed_stream, or kNoticeStream
  std::int64_t realtime_us;
};
static_assert(sizeof(LogRecord) == 16);
inline constexpr std::uint32_t kNoticeStream = 100;
// Longer output is cut into pieces, so that a record never fills the ring.
inline constexpr std::uint32_t kLongestRecord = 16 * 1024;

constexpr std::uint64_t record_bytes(std::uint64_t size) {
  return sizeof(LogRecord) + ((size + 7) & ~std::uint64_t{7});
}

struct Sizes {
  std::uint64_t order = 0;   // texts and event together
  std::uint64_t answer = 0;  // result and error type together

  constexpr std::uint64_t order_offset() const { return kPageBytes + kLogBytes; }
  constexpr std::uint64_t answer_offset() const { return order_offset() + order; }
  constexpr std::uint64_t total() const { return answer_offset() + answer; }
};

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}

}  // namespace lambed::channel
