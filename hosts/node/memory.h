// The memory of one environment: V8's heap and the ArrayBuffers beside it, held to MemorySize.
//
// The heap: V8 calls back shortly before its limit. Stopping the handler takes a moment, in which the heap may grow by
// kHeapAllowance, once. What needs more, a builtin that makes many objects without looking up, ends in V8's fatal
// error: see Environment::end_by_fatal_error.
//
// ArrayBuffers: one that does not fit is refused until V8 has collected garbage for it, then granted, and the
// environment is stopped. A last refusal would be a RangeError where JavaScript allocates, but a fatal error where node
// does, in C++ (Buffer.from, streams); the two cannot be told apart here. Only what is larger than kLargestBuffer stays
// refused.
#ifndef LAMBED_HOSTS_NODE_MEMORY_H
#define LAMBED_HOSTS_NODE_MEMORY_H

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "node_headers.h"

namespace lambed::node_host {

// How far the heap may go past its limit while a handler is being stopped: more than V8's largest single object (a string
// or an array of 1 GiB).
constexpr uint64_t kHeapAllowance = uint64_t{1536} << 20;
constexpr uint64_t kLargestBuffer = uint64_t{1} << 30;
// How often V8 asks for a buffer, collecting harder each time, before it gives up (Heap::AllocateExternalBackingStore).
constexpr int kAttempts = 4;

// Thread contract: reserve, release and the readers from any thread; the rest on the environment's thread.
class MemoryLimit {
 public:
  // `stop` ends what the environment runs; called from any thread, more than once.
  // Without `counts_buffers` the limit is the heap's alone, as --max-old-space-size sets it.
  MemoryLimit(uint64_t limit, bool counts_buffers, std::function<void()> stop)
      : limit_(limit), counts_buffers_(counts_buffers), stop_(std::move(stop)) {}
  // For a worker that does not know its function yet: the isolate is made with room for any, and give() follows.
  static std::shared_ptr<MemoryLimit> to_be_given();

  // Once, on the environment's thread, before any of the function's code has run.
  void give(v8::Isolate* isolate, uint64_t limit, std::function<void()> stop);
  void constrain(v8::ResourceConstraints& constraints) const;
  void watch(v8::Isolate* isolate);
  void unwatch(v8::Isolate* isolate);
  // Nothing is stopped after this: the environment is being freed.
  void silence() { is_silent_ = true; }

  [[nodiscard]] bool reserve(uint64_t bytes);
  void release(uint64_t bytes) { buffers_.fetch_sub(bytes, std::memory_order_relaxed); }
  void sample(v8::Isolate* isolate);

  [[nodiscard]] bool was_exceeded() const { return was_exceeded_.load(std::memory_order_relaxed); }
  // Whether a buffer was refused since the last call of forget_refusals.
  [[nodiscard]] bool has_refused() const { return has_refused_.load(std::memory_order_relaxed); }
  void forget_refusals() {
    if (has_refused()) has_refused_.store(false, std::memory_order_relaxed);
  }
  // WebAssembly memory is refused by the bootstrap's JavaScript.
  void note_refusal() { has_refused_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] uint64_t used() const {
    return heap_.load(std::memory_order_relaxed) + buffers_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  static size_t near_heap_limit(void* self, size_t current, size_t initial);
  static void before_collection(v8::Isolate* isolate, v8::GCType type, v8::GCCallbackFlags flags, void* self);
  static void after_collection(v8::Isolate* isolate, v8::GCType type, v8::GCCallbackFlags flags, void* self);
  void exceed();
  void raise_peak(uint64_t bytes);

  uint64_t limit_;
  bool is_to_be_given_ = false;
  const bool counts_buffers_;
  std::function<void()> stop_;
  std::atomic<uint64_t> buffers_{0};
  std::atomic<uint64_t> heap_{0};  // as last seen
  std::atomic<uint64_t> peak_{0};
  std::atomic<bool> was_exceeded_{false};
  std::atomic<bool> has_refused_{false};
  bool has_extended_heap_ = false;
  std::atomic<int> attempts_{0};  // refused one after the other
  std::atomic<bool> is_silent_{false};
};

// Backing stores may outlive the environment, so they share the limit.
class CountingAllocator final : public v8::ArrayBuffer::Allocator {
 public:
  explicit CountingAllocator(std::shared_ptr<MemoryLimit> limit) : limit_(std::move(limit)) {}
  void* Allocate(size_t length) override;
  void* AllocateUninitialized(size_t length) override;
  void Free(void* data, size_t length) override;

 private:
  std::shared_ptr<MemoryLimit> limit_;
};

}  // namespace lambed::node_host
#endif
