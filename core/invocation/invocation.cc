#include "invocation/invocation.h"

#include "invocation/pool.h"

namespace lambed::invocation {

void Invocation::let_go() {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) table_->recycle(*this);
}

InvokeResult Invocation::take_result() {
  result.request_id = request.request_id;
  return std::move(result);
}

void Invocation::run() {
  auto done = std::move(callback);
  InvokeResult answer = take_result();
  let_go();
  done(std::move(answer));
}

InvocationTable::~InvocationTable() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

Invocation& InvocationTable::acquire() {
  std::uint32_t index = 0;
  {
    std::lock_guard lock(mutex_);
    if (free_.empty()) {
      const std::size_t count = used_.load(std::memory_order_relaxed);
      if (count / kChunk >= kMaxChunks)
        throw Error(ErrorCode::ServiceException, "Too many invocations are in flight.");
      auto* chunk = new Invocation[kChunk];
      for (std::size_t i = 0; i < kChunk; ++i) {
        chunk[i].table_ = this;
        chunk[i].index_ = static_cast<std::uint32_t>(count + i);
        free_.push_back(static_cast<std::uint32_t>(count + kChunk - 1 - i));
      }
      chunks_[count / kChunk].store(chunk, std::memory_order_release);
      used_.store(count + kChunk, std::memory_order_release);
    }
    index = free_.back();
    free_.pop_back();
  }
  in_use_.fetch_add(1, std::memory_order_relaxed);
  Invocation& invocation = chunks_[index / kChunk].load(std::memory_order_relaxed)[index % kChunk];
  const std::uint64_t token = (++invocation.uses_ << kIndexBits) | index;
  invocation.holders_.store(2, std::memory_order_relaxed);
  invocation.word_.store(token << 1, std::memory_order_release);
  return invocation;
}

void InvocationTable::recycle(Invocation& invocation) {
  invocation.deadline.store(kNever, std::memory_order_relaxed);
  invocation.request = {};
  invocation.invoked_arn.clear();
  invocation.version.reset();
  invocation.function.reset();
  invocation.pool.reset();
  invocation.environment = nullptr;
  invocation.callback = nullptr;
  invocation.result = {};
  in_use_.fetch_sub(1, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  free_.push_back(invocation.index_);
}

}  // namespace lambed::invocation
