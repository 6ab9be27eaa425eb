#include "memory.h"

#include <malloc.h>

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

// Charges `size` more bytes; false when that would pass the limit.
bool admit(std::int64_t size) {
  MemoryAccount* const account = charge.account;
  if (account == nullptr) return true;
  const std::int64_t limit = account->limit.load(std::memory_order_relaxed);
  if (limit == 0 || charge.grace > 0 || size <= 0) return true;
  if (account->used.load(std::memory_order_relaxed) + size <= limit) return true;
  account->refusals.fetch_add(1, std::memory_order_relaxed);
  return false;
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

void* raw_malloc(void*, std::size_t size) {
  if (!admit(static_cast<std::int64_t>(size))) return nullptr;
  void* const block = raw_below.malloc(raw_below.context, size);
  add(charge.account, size_of(block));
  return block;
}

void* raw_calloc(void*, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || !admit(static_cast<std::int64_t>(bytes))) return nullptr;
  void* const block = raw_below.calloc(raw_below.context, count, size);
  add(charge.account, size_of(block));
  return block;
}

void* raw_realloc(void*, void* old_block, std::size_t size) {
  const std::int64_t old_size = size_of(old_block);
  if (!admit(static_cast<std::int64_t>(size) - old_size)) return nullptr;
  void* const block = raw_below.realloc(raw_below.context, old_block, size);
  if (block != nullptr) add(charge.account, size_of(block) - old_size);
  return block;
}

void raw_free(void*, void* block) {
  add(charge.account, -size_of(block));
  raw_below.free(raw_below.context, block);
}

void* arena_alloc(void*, std::size_t size) {
  if (!admit(static_cast<std::int64_t>(size))) return nullptr;
  void* const arena = arenas_below.alloc(arenas_below.context, size);
  if (arena == nullptr || charge.account == nullptr) return arena;
  add(charge.account, static_cast<std::int64_t>(size));
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
