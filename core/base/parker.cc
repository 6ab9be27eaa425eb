#include "base/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>
#include <thread>

namespace lambed {
namespace {

constexpr int kMaxParkPenalty = 64;

std::atomic<int> g_spinners{0};

int spinner_limit() {
  static const int kLimit = static_cast<int>(std::thread::hardware_concurrency()) - 1;
  return kLimit;
}

Nanos monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

long futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(word), operation | FUTEX_PRIVATE_FLAG, value,
                 timeout, nullptr, 0);
}

}  // namespace

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

bool Spinners::try_enter() {
  if (g_spinners.fetch_add(1, std::memory_order_relaxed) < spinner_limit()) return true;
  leave();
  return false;
}

void Spinners::leave() { g_spinners.fetch_sub(1, std::memory_order_relaxed); }

int Spinners::count() { return g_spinners.load(std::memory_order_relaxed); }

bool Parker::spin(Nanos time) {
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  if (!Spinners::try_enter()) return false;
  std::uint32_t expected = kEmpty;
  bool seen = !word_.compare_exchange_strong(expected, kSpinning, std::memory_order_acquire);
  if (seen) {
    Spinners::leave();
  } else {
    const Nanos end = monotonic() + time;
    do {
      for (int i = 0; i < 32 && !seen; ++i) {
        seen = word_.load(std::memory_order_acquire) == kNotified;
        if (!seen) pause_briefly();
      }
    } while (!seen && monotonic() < end);
    expected = kSpinning;
    if (!seen && word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) {
      Spinners::leave();
    } else {
      seen = true;  // whoever notified us has struck us off
    }
  }
  if (seen) {
    penalty_ = 1;
  } else {
    // It did not pay: skip twice as many turns as last time before trying again.
    skip_ = penalty_;
    if (penalty_ < kMaxParkPenalty) penalty_ *= 2;
  }
  return seen;
}

bool Parker::park(Nanos timeout, Nanos spin_time) {
  std::uint32_t expected = kNotified;
  if (word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) return true;
  if (timeout <= 0) return false;
  if (spin(spin_time)) {
    word_.exchange(kEmpty, std::memory_order_acquire);
    return true;
  }
  expected = kEmpty;
  if (!word_.compare_exchange_strong(expected, kAsleep, std::memory_order_acquire)) {
    word_.exchange(kEmpty, std::memory_order_acquire);
    return true;
  }
  const Nanos end = timeout == kNever ? kNever : monotonic() + timeout;
  for (;;) {
    timespec left{};
    if (end != kNever) {
      const Nanos n = end - monotonic();
      if (n <= 0) break;
      left = {static_cast<time_t>(n / 1'000'000'000), static_cast<long>(n % 1'000'000'000)};
    }
    futex(&word_, FUTEX_WAIT, kAsleep, end == kNever ? nullptr : &left);
    expected = kNotified;
    if (word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) return true;
  }
  expected = kAsleep;
  if (word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) return false;
  word_.exchange(kEmpty, std::memory_order_acquire);
  return true;
}

void Parker::unpark() {
  const std::uint32_t before = word_.exchange(kNotified, std::memory_order_release);
  if (before == kAsleep) futex(&word_, FUTEX_WAKE, 1, nullptr);
  if (before == kSpinning) Spinners::leave();
}

}  // namespace lambed
