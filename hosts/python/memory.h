// What Python allocates, counted for each environment and held to its limit.
//
// Only the raw domain and the arenas of small objects are hooked: no headers, so the cost is within noise (hooking every
// object costs 25-46 %). mmap and C libraries that call malloc themselves escape: in process, the limit is a guard rail.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace lambed::python {

// One environment's account. Any thread may read it.
struct MemoryAccount {
  std::atomic<std::int64_t> used{
      0};  // can dip below zero: a block may be freed by another environment than its maker
  std::atomic<std::int64_t> peak{0};
  std::atomic<std::int64_t> limit{0};      // 0: none
  std::atomic<std::uint64_t> refusals{0};  // requests that would have passed the limit

  std::uint64_t used_bytes() const;
  std::uint64_t peak_bytes() const;
};

// Hooks the allocators of `py`. Before the interpreter is initialised, or with the lock of a running one held.
// False when the running interpreter's allocators are not malloc underneath (PYTHONMALLOC): nothing is counted then.
bool install_memory_hooks(bool interpreter_runs);

// From now on the calling thread's allocations belong to `account` (null: to nobody).
void charge_thread_to(std::shared_ptr<MemoryAccount> account);

// While one lives, the calling thread may pass the limit: to describe the error of running into it, and to tidy up.
class MemoryGrace {
 public:
  MemoryGrace();
  ~MemoryGrace();
  MemoryGrace(const MemoryGrace&) = delete;
  MemoryGrace& operator=(const MemoryGrace&) = delete;
};

}  // namespace lambed::python
