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

// Longer than a typical small handler takes, shorter than what a sleep and a wake-up cost together twice over.
constexpr Nanos kParkSpin = 40'000;
constexpr int kMaxParkPenalty = 64;

// Spinners of the whole process. One core is always left for whoever is being waited for.
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

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

long futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(word), operation | FUTEX_PRIVATE_FLAG, value,
                 timeout, nullptr, 0);
}

}  // namespace

bool Parker::spin() {
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  if (g_spinners.fetch_add(1, std::memory_order_relaxed) >= spinner_limit()) {
    g_spinners.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  std::uint32_t expected = kEmpty;
  bool seen = !word_.compare_exchange_strong(expected, kSpinning, std::memory_order_acquire);
  if (seen) {
    g_spinners.fetch_sub(1, std::memory_order_relaxed);
  } else {
    const Nanos end = monotonic() + kParkSpin;
    do {
      for (int i = 0; i < 32 && !seen; ++i) {
        seen = word_.load(std::memory_order_acquire) == kNotified;
        if (!seen) pause();
      }
    } while (!seen && monotonic() < end);
    expected = kSpinning;
    if (!seen && word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) {
      g_spinners.fetch_sub(1, std::memory_order_relaxed);
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

bool Parker::park(Nanos timeout) {
  std::uint32_t expected = kNotified;
  if (word_.compare_exchange_strong(expected, kEmpty, std::memory_order_acquire)) return true;
  if (timeout <= 0) return false;
  if (spin()) {
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
  // Not left to the spinner: the two of a hand-off take turns at waiting, and whoever notifies is about to wait itself. It
  // would find the other one still counted, sleep, and both would pay for the kernel from then on.
  if (before == kSpinning) g_spinners.fetch_sub(1, std::memory_order_relaxed);
}

int Parker::spinning() { return g_spinners.load(std::memory_order_relaxed); }

}  // namespace lambed
