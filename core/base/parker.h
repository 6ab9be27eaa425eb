// Parker: how a thread waits for another one's word without paying for the kernel when the word comes soon.
//
// One thread parks, any thread unparks. A waiter first spins, if spinning has paid lately and a core is free for it, then
// sleeps on a futex. The measured difference is 0.5 us against 10-20 us per hand-off.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace lambed {

class Parker {
 public:
  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  // Returns after an unpark() that no park() has consumed yet (true), or when `timeout` ns have passed (false).
  // kNever: no time-out. Only one thread at a time.
  bool park(Nanos timeout = kNever);
  // Lets the present or the next park() return. Any thread. After it the parked thread may destroy the Parker at once:
  // nothing is touched after the word is set, apart from the address for the kernel's wake-up.
  void unpark();
  // How many threads of the process spin now, those not counted that have been notified already.
  static int spinning();

 private:
  bool spin();

  enum : std::uint32_t { kEmpty = 0, kNotified = 1, kAsleep = 2, kSpinning = 3 };
  std::atomic<std::uint32_t> word_{kEmpty};
  // How spinning went lately, of the parking thread only: below zero it skips that many turns before it tries again.
  int skip_ = 0;
  int penalty_ = 1;
};

}  // namespace lambed
