// Parker: how a thread waits for another one's word without paying for the kernel when the word comes soon.
//
// One thread parks, any thread unparks. A waiter first spins, if spinning has paid lately and a core is free for it, then
// sleeps on a futex. The measured difference is 0.5 us against 10-20 us per hand-off.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace lambed {

// Tells the processor that this is a spin loop.
void pause_briefly();

// The spinners of the process, counted so that one core is always left for whoever is being waited for. Any thread.
class Spinners {
 public:
  static bool try_enter();
  // Said by the spinner, or, at once, by whoever notifies it: the two of a hand-off take turns at waiting, and the notifier is
  // about to wait itself. It would find the other one still counted, sleep, and both would pay for the kernel from then on.
  static void leave();
  static int count();
};

class Parker {
 public:
  // Longer than a typical small handler takes, shorter than what a sleep and a wake-up cost together twice over.
  static constexpr Nanos kSpin = 40'000;
  // Where others are at work: an answer that comes at once came from another core; one that takes longer probably had to wait
  // for the core that the spinner kept.
  static constexpr Nanos kSpinAmongOthers = 5'000;

  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Returns after an unpark() that no park() has consumed yet (true), or when `timeout` ns have passed (false).
  // kNever: no time-out. Spins for `spin` ns at most; if the word does not come by then, it did not pay. Only one thread at a
  // time.
  bool park(Nanos timeout = kNever, Nanos spin = kSpin);
  // Lets the present or the next park() return. Any thread. After it the parked thread may destroy the Parker at once:
  // nothing is touched after the word is set, apart from the address for the kernel's wake-up.
  void unpark();

 private:
  bool spin(Nanos time);

  enum : std::uint32_t { kEmpty = 0, kNotified = 1, kAsleep = 2, kSpinning = 3 };
  std::atomic<std::uint32_t> word_{kEmpty};
  // How spinning went lately, of the parking thread only: below zero it skips that many turns before it tries again.
  int skip_ = 0;
  int penalty_ = 1;
};

}  // namespace lambed
