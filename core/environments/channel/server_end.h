// The server's end of a channel: posts orders, takes answers and log records. Believes nothing that it reads (layout.h).
//
// Threads: the environment's own, except wake().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "environments/channel/shared_memory.h"
#include "lambed/host.h"

namespace lambed::channel {

// One invocation, as it goes to the worker.
struct Order {
  std::uint64_t token = 0;
  std::int64_t deadline = 0;
  std::int64_t deadline_epoch_ms = 0;
  std::array<std::string_view, kTextCount> texts;
  std::string_view event;
};

// What the worker has answered. `payload` lies in the shared memory, where the worker may still change its bytes (not its
// size): whoever uses it copies it once and looks at the copy. The rest is a private copy.
struct Answer {
  AnswerKind kind = AnswerKind::kNone;
  std::uint64_t token = 0;
  lambed_outcome_kind outcome = LAMBED_OUTCOME_SUCCESS;
  std::uint32_t flags = 0;
  std::int32_t exit_code = 0;
  std::int32_t term_signal = 0;
  std::uint64_t memory_peak = 0;
  std::string_view payload;
  std::string error_type;
};

enum class News { kNothing, kAnswer, kBroken };

class ServerEnd {
 public:
  using TakeRecord =
      std::function<void(std::uint32_t stream, std::string_view bytes, std::int64_t realtime_us)>;

  explicit ServerEnd(SharedMemory memory) : memory_(std::move(memory)) {}

  const SharedMemory& memory() const { return memory_; }

  // False when the order is larger than its area; then nothing was posted.
  bool post(const Order& order);
  // Whether the worker has taken what was posted last. It may lie about that: it then does itself out of a second try.
  bool order_was_begun() const;

  // An answer that has not been looked at yet. kBroken: the worker does not keep to the protocol, what it says is worthless.
  News look(Answer& answer);
  // Hands out the records that were there when it was called. False: broken, as above.
  bool take_log(const TakeRecord& take);

  // What wait() compares with. Read it before look() and take_log().
  std::uint32_t bell() const { return page().to_server.rung.load(std::memory_order_acquire); }
  // Until the bell is rung again, or `timeout` ns have passed. Spins for `spin` ns first, if a core is free for it.
  void wait(std::uint32_t seen, Nanos timeout, Nanos spin);
  // Lets wait() return. Any thread, as long as the object lives.
  void wake() { ring_server(); }

 private:
  Page& page() const { return memory_.page(); }
  void ring_server();
  void copy_from_log(std::uint64_t at, void* into, std::size_t bytes) const;

  SharedMemory memory_;
  std::uint32_t orders_ = 0;
  std::uint32_t answers_seen_ = 0;
  std::uint64_t log_taken_ = 0;
  std::string record_;  // kept for its capacity
};

}  // namespace lambed::channel
