// Keeps a number of calls in flight, a part of which misbehaves, and checks every answer.
#pragma once

#include <lambed/gateway.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "soak/functions.h"

namespace lambed::soak {

struct LoadOptions {
  int in_flight = 64;
  double misbehaving = 0.05;
  std::uint64_t seed = 1;
};

// What came of the calls of one kind.
struct DeedTally {
  bool is_good = true;
  long calls = 0;
  long wrong = 0;
  std::string first_fault;
};

struct LoadTally {
  std::map<std::pair<std::string, std::string>, DeedTally> deeds;  // by language and deed
  long calls = 0;
  long wrong = 0;
  long twice = 0;   // answers to calls that had been answered
  long absent = 0;  // calls of a function while it was deleted
  long broken = 0;  // right answers of a version that does not parse
  long late = 0;    // calls whose environment was not up after ten seconds: a machine that is too busy
  long lost = 0;    // calls without an answer for so long that none will come
};

// The answers come on the core loop's thread, each of which starts the slot's next call; the rest is for one thread.
class Load {
 public:
  Load(Gateway& gateway, const Functions& functions, LoadOptions options);

  void start();
  // No further calls. Waits for the answers to those in flight; false when some do not come.
  bool drain(std::chrono::seconds patience);
  LoadTally tally() const;
  long calls() const { return calls_.load(); }
  // No call that takes many megabytes on purpose is under way, nor has been just now: what is resident is what is kept.
  bool is_light() const;

 private:
  // One of the calls that are in flight all the time. Always of the same language, so that slow languages do not end up with
  // all of them.
  struct Slot {
    std::size_t language = 0;
    std::atomic<std::uint64_t> serial{0};  // of the call in flight; the answer makes it even
    const Function* function = nullptr;
    const Deed* deed = nullptr;
    bool is_bad = false;
    Before before;
    std::string id;
    std::chrono::steady_clock::time_point begun;
  };
  // How many heavy and slow deeds of a language may run at the moment.
  struct Allowance {
    int heavy = 0;
    int slow = 0;
    std::chrono::steady_clock::time_point next_heavy;
    std::chrono::steady_clock::time_point next_slow;
  };

  void choose(Slot& slot);
  bool take_allowance(const Slot& slot);
  void give_allowance(const Slot& slot);
  void call(std::size_t index);
  void answered(std::size_t index, std::uint64_t serial, InvokeResult result);
  std::string judge(const Slot& slot, const InvokeResult& result);

  Gateway& gateway_;
  const Functions& functions_;
  const LoadOptions options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> in_flight_{0};
  std::atomic<long> calls_{0};
  std::atomic<int> heavy_{0};                 // under way
  std::atomic<std::int64_t> heavy_ended_{0};  // the last one, ns of the steady clock
  std::atomic<long> twice_{0};

  mutable std::mutex mutex_;  // guards what follows
  std::mt19937_64 random_;
  std::vector<Allowance> allowances_;  // by language
  LoadTally tally_;
};

}  // namespace lambed::soak
