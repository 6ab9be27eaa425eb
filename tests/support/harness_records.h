// What HostHarness and its environments know of the host under test, and the core's table that writes it.
//
// Threads: the host calls the table from any; a record's members say what guards them.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "support/host_harness.h"

namespace lambed::testing {

struct HarnessWork {
  std::uint64_t token;
  InvocationSpec spec;
};

struct HarnessAnswer {
  Outcome outcome;
  int completions = 0;
};

struct EnvironmentRecord {
  const lambed_host_api* api = nullptr;

  // Held while the plugin is called about `environment` and while `closed` forgets it: the pointer is good in between only.
  // Recursive, for a plugin that closes within `abandon`.
  std::recursive_mutex lifetime;
  lambed_environment* environment = nullptr;

  std::mutex mutex;  // guards everything below
  std::condition_variable changed;
  std::deque<HarnessWork> queue;
  std::map<std::uint64_t, HarnessWork> running;  // `take` lends out slices of these
  std::map<std::uint64_t, HarnessAnswer> answers;
  std::optional<Outcome> opened;
  std::vector<LogRecord> log;
  std::vector<std::string> notices;
  bool closing = false;
  bool closed = false;
  bool abandoned = false;
  bool nudged = false;

  // A run of mean_ns: one invocation, handed out again and again.
  HarnessWork repeated;
  std::uint64_t repeats_left = 0;
  std::uint64_t repeats_done = 0;
  std::uint64_t repeats_failed = 0;
  std::string repeat_failure;
  std::int64_t repeat_began = 0;
  std::int64_t repeat_ended = 0;

  template <typename Condition>
  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, Condition condition) {
    return changed.wait_for(lock, timeout, condition);
  }
};

// The token of mean_ns's invocation.
inline constexpr std::uint64_t kRepeatToken = ~std::uint64_t{0};

// Never destroyed: an abandoned environment may call after main has returned.
struct HarnessProcess {
  std::mutex mutex;  // guards the members
  std::condition_variable changed;
  std::vector<std::string> notices;
  std::vector<std::unique_ptr<EnvironmentRecord>> records;
  std::uint64_t next_token = 1;
};

HarnessProcess& harness_process();

// What hosts are started with.
const lambed_core& harness_core();

inline lambed_slice slice(const std::string& text) { return {text.data(), text.size()}; }

}  // namespace lambed::testing
