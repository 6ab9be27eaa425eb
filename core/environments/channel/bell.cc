#include "environments/channel/bell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace lambed::channel {
namespace {

// Not FUTEX_PRIVATE_FLAG: the other side is another process.
long futex_of(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, timeout, nullptr, 0);
}

}  // namespace

void sleep_on_word(std::atomic<std::uint32_t>& word, std::uint32_t seen, Nanos timeout) {
  if (timeout == kNever) {
    futex_of(word, FUTEX_WAIT, seen, nullptr);
    return;
  }
  if (timeout <= 0) return;
  const timespec time{static_cast<time_t>(timeout / 1'000'000'000),
                      static_cast<long>(timeout % 1'000'000'000)};
  futex_of(word, FUTEX_WAIT, seen, &time);
}

void wake_word(std::atomic<std::uint32_t>& word) { futex_of(word, FUTEX_WAKE, INT_MAX, nullptr); }

void sleep_on(Bell& bell, std::uint32_t seen, Nanos timeout) {
  // Said before the word is looked at for the last time, so that one of the two sees the other.
  bell.sleeps.store(1, std::memory_order_seq_cst);
  if (bell.rung.load(std::memory_order_seq_cst) == seen) sleep_on_word(bell.rung, seen, timeout);
  bell.sleeps.store(0, std::memory_order_relaxed);
}

void ring(Bell& bell) {
  bell.rung.fetch_add(1, std::memory_order_seq_cst);
  if (bell.sleeps.load(std::memory_order_seq_cst) != 0) wake_word(bell.rung);
}

void ring_loudly(Bell& bell) {
  bell.rung.fetch_add(1, std::memory_order_seq_cst);
  wake_word(bell.rung);
}

}  // namespace lambed::channel
