// One invocation in flight, and the table of all of them.
//
// An Invocation is answered exactly once. Whoever wants to answer it - the environment that has run it, the core loop at its
// deadline, a gateway that closes - must `claim` it with its token; one claim succeeds. Tokens are never used twice, so a
// late answer finds a token that is over.
//
// Records are recycled, never freed while the table lives: the core loop may look at their deadlines without a lock. Two
// sides hold a record, the one that delivers the answer and the one that serves it (the pool's queue or the environment,
// which may go on reading the event long after the caller was answered); it is recycled when both have let go.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/parker.h"
#include "catalog/function_version.h"
#include "environments/environment.h"
#include "invocation/admission.h"
#include "lambed/invoke.h"

namespace lambed::invocation {

class InvocationTable;
class EnvironmentPool;

// How the answer reaches the caller.
enum class Delivery : std::uint8_t { kCallerWaits, kCallback, kCallbackAnywhere, kFuture };

class Invocation final : public Posted {
 public:
  // ---- Written by the caller before dispatch, then only read.
  InvokeRequest request;
  std::string invoked_arn;
  std::shared_ptr<const catalog::FunctionVersion> version;
  std::shared_ptr<FunctionState> function;
  std::shared_ptr<EnvironmentPool> pool;
  bool counted_as_reserved = false;
  Nanos submitted = 0;
  Delivery delivery = Delivery::kCallerWaits;
  std::function<void(InvokeResult)> callback;
  std::promise<InvokeResult> promise;

  // ---- Written by whoever claims it, before it is delivered.
  InvokeResult result;
  Parker caller;

  // ---- Of the pool's mutex.
  Invocation* next_pending = nullptr;
  Invocation* previous_pending = nullptr;
  bool is_pending = false;
  environments::Environment* environment = nullptr;  // where it runs
  Nanos started = 0;
  std::chrono::system_clock::time_point started_at;  // the same instant as wall time, as logs show it
  std::uint64_t ticket = 0;                          // its place in the order of the pool's dispatches
  std::optional<Nanos> init_duration;  // of the environment that was opened for it; none on a warm start

  // When the core loop is to look at it; kNever: not armed.
  std::atomic<Nanos> deadline{kNever};

  std::uint64_t token() const { return word_.load(std::memory_order_acquire) >> 1; }
  // True for exactly one caller: that one answers.
  bool claim(std::uint64_t token) {
    std::uint64_t expected = token << 1;
    return word_.compare_exchange_strong(expected, expected | 1, std::memory_order_acq_rel);
  }
  bool is_answered(std::uint64_t token) const { return word_.load(std::memory_order_acquire) != token << 1; }

  // For whoever brings the answer to the caller, before letting go. Completes it on his thread, so that memory is freed where it
  // was allocated.
  InvokeResult take_result();

  // One of the two sides is done with the record.
  void let_go();

  // Calls the callback and lets go; posted to the core loop or called where the answer is.
  void run() override;

 private:
  friend class InvocationTable;

  InvocationTable* table_ = nullptr;
  std::uint32_t index_ = 0;
  std::uint64_t uses_ = 0;
  std::atomic<int> holders_{0};
  std::atomic<std::uint64_t> word_{1};  // token, and in the lowest bit whether it is answered
};

// Any thread. Grows with the highest number of invocations ever in flight at once.
class InvocationTable {
 public:
  InvocationTable() = default;
  ~InvocationTable();
  InvocationTable(const InvocationTable&) = delete;
  InvocationTable& operator=(const InvocationTable&) = delete;

  // A record of its own with a fresh token, held by both sides.
  Invocation& acquire();

  // Calls `visit` for each record ever used. For the core loop, which looks at deadlines and tokens only.
  template <typename Visit>
  void for_each(Visit&& visit) {
    const std::size_t count = used_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i)
      visit(chunks_[i / kChunk].load(std::memory_order_acquire)[i % kChunk]);
  }
  // Records held by anyone.
  int in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  friend class Invocation;
  void recycle(Invocation& invocation);

  static constexpr std::size_t kChunk = 64;
  static constexpr std::size_t kMaxChunks = 4096;  // 262,144 at once; the account's concurrency is far below
  static constexpr int kIndexBits = 20;

  std::atomic<Invocation*> chunks_[kMaxChunks] = {};
  std::atomic<std::size_t> used_{0};
  std::atomic<int> in_use_{0};
  std::mutex mutex_;  // guards free_ and the growth of the chunks
  std::vector<std::uint32_t> free_;
};

}  // namespace lambed::invocation
