// What outlives every environment of the scripted host: gates, counters, the core's table.
//
// Gates and counters are the tests', who open and read them from their own process. In worker processes the plugin therefore
// keeps them in memory that it shares with the process of the tests: that one makes it when it is to run its suites so
// (LAMBED_TEST_ISOLATION=process), the launcher, which is its child, maps it when it loads the plugin, and workers inherit it.
// Whoever is killed there counts no longer: each environment holds a seat by a lock that the system gives back.
//
// Threads: any, in any of those processes.
#pragma once

#include <lambed/host.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

// Built twice: the other one is a VM whose environments share everything, as Ruby's do.
#ifdef SCRIPTED_SHARES_NAMESPACE
#define SCRIPTED_LANGUAGE "scriptedshared"
#define SCRIPTED_TRAITS LAMBED_HOST_SHARED_NAMESPACE
#else
#define SCRIPTED_LANGUAGE "scripted"
#define SCRIPTED_TRAITS 0u
#endif

namespace scripted {

// One environment that lives in a worker.
struct Seat {
  pthread_mutex_t held;  // by the environment's thread as long as that lives
  std::atomic<bool> taken;
  std::atomic<bool> rests;
  std::atomic<std::uint64_t> waits_at;  // the gate's key, 0: at none
};

struct Gate {
  std::atomic<std::uint64_t> key;  // made of its name; 0: nobody's yet
  std::atomic<bool> open;
  std::atomic<long> waiting;  // of this process's own environments
};

// In anonymous memory, or in what several processes share.
struct Common {
  std::atomic<std::uint32_t> changes;  // a futex word: gates were opened, somebody was interrupted
  std::atomic<long> opened;
  std::atomic<long> invocations;
  std::array<Gate, 4096> gates;
  std::array<Seat, 1024> seats;
};

class World {
 public:
  World();  // never destroyed, because a thread that is stuck for ever may still look at it while the process exits

  const lambed_core* core = nullptr;
  // Of this process.
  std::atomic<long> environments{0};
  std::atomic<long> threads{0};
  std::atomic<long> resting{0};
  std::atomic<long> interrupts{0};

  std::atomic<long>& opened() { return common_->opened; }
  std::atomic<long>& invocations() { return common_->invocations; }

  // Seats that are held in workers: all, those whose environment rests, those who wait at a gate.
  long seated();
  long seated_and_resting();
  long seated_at(std::uint64_t key);
  // For the calling thread, until it ends or is killed; null in the process of the tests, whose environments are counted above.
  Seat* take_seat();
  static void leave(Seat* seat);

  Gate& gate(std::string_view name);
  static std::uint64_t key_of(std::string_view name);

  std::uint32_t changes() const { return common_->changes.load(); }
  void announce_change();
  // Returns when there has been a change since `seen`, or the time (nanoseconds; negative: none) is over, or for no reason.
  void await_change(std::uint32_t seen, std::int64_t nanoseconds);

 private:
  template <typename Condition>
  long count_seats(Condition condition);

  Common* common_ = nullptr;
  bool is_worker_ = false;
};
World& world();

}  // namespace scripted
