#include "memory.h"

#include <malloc.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "python_api.h"

namespace lambed::python {

namespace {

constexpr int kRawDomain = 0;  // PYMEM_DOMAIN_RAW

struct ThreadCharge {
  MemoryAccount* account = nullptr;
  int grace = 0;
};
thread_local ThreadCharge charge;  // trivial on purpose: it is read inside malloc, also while threads end

RawAllocator raw_below;
ArenaAllocator arenas_below;

// Arenas can outlive the environment that made them (before 3.13 all share them), so each remembers whom it was charged to.
struct ArenaOwners {
  std::mutex mutex;  // guards owners
  std::unordered_map<void*, std::shared_ptr<MemoryAccount>> owners;
};
ArenaOwners& arena_owners() {
  static ArenaOwners* const instance = new ArenaOwners;  // never destroyed: Python frees arenas at exit
  return *instance;
}

// Keeps charge.account alive.
struct ChargedAccount {
  std::shared_ptr<MemoryAccount> account;
  ~ChargedAccount() { charge.account = nullptr; }
};
std::shared_ptr<MemoryAccount>& thread_account() {
  thread_local ChargedAccount charged;
  return charged.account;
}

// Takes `size` bytes of what the limit leaves; false when it leaves less. Whoever takes more than it comes to use gives the rest
// back by `add`.
bool take(std::int64_t size) {
  MemoryAccount* const account = charge.account;
  if (account == nullptr) return true;
  const std::int64_t limit = account->limit.load(std::memory_order_relaxed);
  if (limit == 0 || charge.grace > 0 || size <= 0) {
    account->used.fetch_add(size, std::memory_order_relaxed);
    return true;
  }
  std::int64_t used = account->used.load(std::memory_order_relaxed);
  do {
    if (size > limit - used) {
      account->refusals.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
  } while (!account->used.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
  return true;
}

void add(MemoryAccount* account, std::int64_t size) {
  if (account == nullptr) return;
  const std::int64_t used = account->used.fetch_add(size, std::memory_order_relaxed) + size;
  // Two threads may both pass the peak at once; losing the smaller of two near-equal values does no harm.
  if (used > account->peak.load(std::memory_order_relaxed))
    account->peak.store(used, std::memory_order_relaxed);
}

std::int64_t size_of(void* block) {
  return block == nullptr ? 0 : static_cast<std::int64_t>(malloc_usable_size(block));
}

// No block of `size` bytes has a larger size_of: the C library rounds up, keeps a remainder that is too small to be a block of its
// own, and gives large blocks whole pages. Of a size that no allocator has, half of what there is.
std::int64_t most_of(std::size_t size) {
  constexpr std::size_t kRounding = 4096 + 64;
  constexpr std::size_t kTooLarge = PTRDIFF_MAX / 2;
  return static_cast<std::int64_t>(size < kTooLarge - kRounding ? size + kRounding : kTooLarge);
}

// What `make` makes, `most` bytes at most in place of `before`, charged as what it comes to.
template <typename Make>
void* charged(std::int64_t most, std::int64_t before, Make make) {
  if (!take(most - before)) return nullptr;
  void* const block = make();
  add(charge.account, (block == nullptr ? before : size_of(block)) - most);
  return block;
}

void* raw_malloc(void*, std::size_t size) {
  return charged(most_of(size), 0, [size] { return raw_below.malloc(raw_below.context, size); });
}

void* raw_calloc(void*, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  return charged(most_of(bytes), 0, [=] { return raw_below.calloc(raw_below.context, count, size); });
}

void* raw_realloc(void*, void* old_block, std::size_t size) {
  return charged(most_of(size), size_of(old_block),
                 [=] { return raw_below.realloc(raw_below.context, old_block, size); });
}

void raw_free(void*, void* block) {
  add(charge.account, -size_of(block));
  raw_below.free(raw_below.context, block);
}

void* arena_alloc(void*, std::size_t size) {
  const auto bytes = static_cast<std::int64_t>(size);
  if (!take(bytes)) return nullptr;
  void* const arena = arenas_below.alloc(arenas_below.context, size);
  add(charge.account, arena == nullptr ? -bytes : 0);  // and sees the peak
  if (arena == nullptr || charge.account == nullptr) return arena;
  ArenaOwners& all = arena_owners();
  std::lock_guard lock(all.mutex);
  all.owners[arena] = thread_account();
  return arena;
}

void arena_free(void*, void* arena, std::size_t size) {
  ArenaOwners& all = arena_owners();
  {
    std::lock_guard lock(all.mutex);
    const auto found = all.owners.find(arena);
    if (found != all.owners.end()) {
      add(found->second.get(), -static_cast<std::int64_t>(size));
      all.owners.erase(found);
    }
  }
  arenas_below.free(arenas_below.context, arena, size);
}

std::uint64_t clamped(const std::atomic<std::int64_t>& value) {
  const std::int64_t bytes = value.load(std::memory_order_relaxed);
  return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

}  // namespace

std::uint64_t MemoryAccount::used_bytes() const { return clamped(used); }
std::uint64_t MemoryAccount::peak_bytes() const { return clamped(peak); }

bool install_memory_hooks(bool interpreter_runs) {
  if (interpreter_runs) {
    // Under the debug allocators a raw block is not what malloc returned, and malloc_usable_size would crash.
    const char* const name =
        py._PyMem_GetCurrentAllocatorName == nullptr ? nullptr : py._PyMem_GetCurrentAllocatorName();
    if (name == nullptr || std::strcmp(name, "pymalloc") != 0) return false;
  }
  py.PyMem_GetAllocator(kRawDomain, &raw_below);
  py.PyObject_GetArenaAllocator(&arenas_below);
  RawAllocator raw = {nullptr, raw_malloc, raw_calloc, raw_realloc, raw_free};
  py.PyMem_SetAllocator(kRawDomain, &raw);
  ArenaAllocator arenas = {nullptr, arena_alloc, arena_free};
  py.PyObject_SetArenaAllocator(&arenas);
  return true;
}

void charge_thread_to(std::shared_ptr<MemoryAccount> account) {
  charge.account = account.get();
  thread_account() = std::move(account);
}

MemoryGrace::MemoryGrace() { ++charge.grace; }
MemoryGrace::~MemoryGrace() { --charge.grace; }

}  // namespace lambed::python
