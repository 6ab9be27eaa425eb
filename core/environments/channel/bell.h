// Sleeping on and ringing a Bell in shared memory (a futex that several processes share).
//
// Threads: one sleeper for each bell, any number of ringers.
#pragma once

#include "base/clock.h"
#include "environments/channel/layout.h"

namespace lambed::channel {

// Returns when the bell has been rung since `seen` was read from it, at the latest after `timeout` ns, and sometimes for no
// reason. One system call at most.
void sleep_on(Bell& bell, std::uint32_t seen, Nanos timeout);

// Everything written before is seen by whoever wakes. Costs a system call only when somebody sleeps.
void ring(Bell& bell);
// Whatever the other side says about its sleep.
void ring_loudly(Bell& bell);

// For words without a `sleeps`: the same two.
void sleep_on_word(std::atomic<std::uint32_t>& word, std::uint32_t seen, Nanos timeout);
void wake_word(std::atomic<std::uint32_t>& word);

}  // namespace lambed::channel
