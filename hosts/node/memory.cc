#include "memory.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace lambed::node_host {
namespace {

// Below this V8 cannot even load node's own JavaScript.
constexpr uint64_t kLeastHeap = uint64_t{32} << 20;
// The largest MemorySize there is, and half of the smallest: where collecting begins. V8 takes that half of the limit itself
// when it knows that from the start; later than at the smallest limit's, garbage alone would fill a small function's memory.
constexpr uint64_t kLargestLimit = uint64_t{10240} << 20;
constexpr uint64_t kFirstCollection = uint64_t{64} << 20;

}  // namespace

std::shared_ptr<MemoryLimit> MemoryLimit::to_be_given() {
  auto memory = std::make_shared<MemoryLimit>(0, false, [] {});
  memory->is_to_be_given_ = true;
  return memory;
}

void MemoryLimit::give(v8::Isolate* isolate, uint64_t limit, std::function<void()> stop) {
  stop_ = std::move(stop);
  limit_ = limit;
  if (limit_ == 0) return;
  // A callback that is taken away can leave a lower limit behind, the one way that V8 has to change it.
  isolate->AddNearHeapLimitCallback(near_heap_limit, this);
  isolate->RemoveNearHeapLimitCallback(near_heap_limit, std::max(limit_, kLeastHeap));
  isolate->AddNearHeapLimitCallback(near_heap_limit, this);
}

void MemoryLimit::constrain(v8::ResourceConstraints& constraints) const {
  if (is_to_be_given_) {
    constraints.set_max_old_generation_size_in_bytes(kLargestLimit);
    constraints.set_initial_old_generation_size_in_bytes(kFirstCollection);
    return;
  }
  if (limit_ == 0) return;
  constraints.set_max_old_generation_size_in_bytes(std::max(limit_, kLeastHeap));
}

void MemoryLimit::watch(v8::Isolate* isolate) {
  if (limit_ != 0) isolate->AddNearHeapLimitCallback(near_heap_limit, this);
  isolate->AddGCPrologueCallback(before_collection, this);
  isolate->AddGCEpilogueCallback(after_collection, this);
}

void MemoryLimit::unwatch(v8::Isolate* isolate) {
  if (limit_ != 0) isolate->RemoveNearHeapLimitCallback(near_heap_limit, 0);
  isolate->RemoveGCPrologueCallback(before_collection, this);
  isolate->RemoveGCEpilogueCallback(after_collection, this);
}

// What V8 calls the initial limit is not ours where that was given later.
size_t MemoryLimit::near_heap_limit(void* self, size_t current, size_t /*initial*/) {
  auto& limit = *static_cast<MemoryLimit*>(self);
  limit.exceed();
  return !std::exchange(limit.has_extended_heap_, true)
             ? std::max<size_t>(current, limit.limit_) + kHeapAllowance
             : current;
}

void MemoryLimit::sample(v8::Isolate* isolate) {
  v8::HeapStatistics statistics;
  isolate->GetHeapStatistics(&statistics);
  heap_.store(statistics.used_heap_size() + statistics.malloced_memory(), std::memory_order_relaxed);
  raise_peak(used());
}

void MemoryLimit::before_collection(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags, void* self) {
  static_cast<MemoryLimit*>(self)->sample(isolate);
}

void MemoryLimit::after_collection(v8::Isolate* isolate, v8::GCType type, v8::GCCallbackFlags, void* self) {
  auto& limit = *static_cast<MemoryLimit*>(self);
  if (type == v8::kGCTypeScavenge)
    return;  // leaves garbage of the old generation: says nothing about the limit
  v8::HeapStatistics statistics;
  isolate->GetHeapStatistics(&statistics);
  limit.heap_.store(statistics.used_heap_size() + statistics.malloced_memory(), std::memory_order_relaxed);
  // external_memory holds ArrayBuffers of ours and those that are not: WebAssembly memories, memory wrapped
  // by addons.
  const uint64_t beside =
      std::max<uint64_t>(statistics.external_memory(), limit.buffers_.load(std::memory_order_relaxed));
  limit.raise_peak(statistics.used_heap_size() + beside);
  if (limit.counts_buffers_ && limit.limit_ != 0 &&
      statistics.used_heap_size() + beside > std::max(limit.limit_, kLeastHeap))
    limit.exceed();
}

void MemoryLimit::exceed() {
  was_exceeded_.store(true, std::memory_order_relaxed);
  if (!is_silent_) stop_();
}

void MemoryLimit::raise_peak(uint64_t bytes) {
  uint64_t known = peak_.load(std::memory_order_relaxed);
  while (known < bytes && !peak_.compare_exchange_weak(known, bytes, std::memory_order_relaxed)) {
  }
}

bool MemoryLimit::reserve(uint64_t bytes) {
  const uint64_t buffers = buffers_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  const uint64_t total = buffers + heap_.load(std::memory_order_relaxed);
  if (counts_buffers_ && limit_ != 0 && total > std::max(limit_, kLeastHeap)) {
    const bool is_last_attempt =
        was_exceeded() || attempts_.fetch_add(1, std::memory_order_relaxed) + 1 >= kAttempts;
    if (!is_last_attempt || bytes > kLargestBuffer || total > limit_ + kHeapAllowance) {
      release(bytes);
      if (is_last_attempt) note_refusal();
      return false;
    }
    exceed();
  }
  if (attempts_.load(std::memory_order_relaxed) != 0) attempts_.store(0, std::memory_order_relaxed);
  raise_peak(total);
  return true;
}

void* CountingAllocator::Allocate(size_t length) {
  if (!limit_->reserve(length)) return nullptr;
  void* data = std::calloc(std::max<size_t>(length, 1), 1);
  if (data == nullptr) limit_->release(length);
  return data;
}

void* CountingAllocator::AllocateUninitialized(size_t length) {
  if (!limit_->reserve(length)) return nullptr;
  void* data = std::malloc(std::max<size_t>(length, 1));
  if (data == nullptr) limit_->release(length);
  return data;
}

void CountingAllocator::Free(void* data, size_t length) {
  std::free(data);
  limit_->release(length);
}

}  // namespace lambed::node_host
