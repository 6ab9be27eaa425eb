// One execution environment as native code sees it: what the core said about it, and what it runs at the moment.
#pragma once

#include <lambed/host.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lambed::ruby {

enum class InterruptMeans { kNone = 0, kRaise = 1, kKill = 2, kGiveUp = 3 };

}  // namespace lambed::ruby

// Made by `open`, deleted after `closed`. Options never change. `invocation` is touched by the thread that runs the
// environment only; the rest is safe from any thread.
struct lambed_environment {
  lambed_environment(std::uint64_t id_, const lambed_environment_options& options);

  const std::uint64_t
      id;  // never used twice: names the environment in commands that may arrive after its end
  void* const user;
  const std::string function_name;
  const std::string function_version;
  const std::string code_id;
  const std::string handler;
  const std::string task_root;
  std::vector<std::string> layers;
  std::vector<std::pair<std::string, std::string>> variables;
  const std::string log_group;
  const std::string log_stream;
  const std::uint64_t memory_limit;
  const bool json_logs;

  lambed_invocation invocation{};

  // Whether it runs this invocation (0: its init) now.
  bool runs(std::uint64_t token) const {
    return token == 0 ? initialising.load(std::memory_order_acquire)
                      : running.load(std::memory_order_acquire) == token;
  }
  std::atomic<bool> initialising{true};
  std::atomic<std::uint64_t> running{0};

  // What the next interrupt of `token` may do: raise once, later kill again and again, at last give up. kNone: the last means
  // may still work.
  lambed::ruby::InterruptMeans next_means(std::uint64_t token, std::int64_t now_ns);
  // Whether it has used so little of the processor since it was interrupted that it has hardly had the VM's lock.
  bool has_hardly_run() const;

  // True for the first caller only: the VM counts each environment that holds it up once.
  bool mark_stuck() { return !stuck_.exchange(true); }
  bool is_stuck() const { return stuck_; }

  void adopt_calling_thread();
  std::uint64_t cpu_ns() const;

 private:
  std::uint64_t ran_since_interrupt() const;  // ns; mutex_ is held

  mutable std::mutex mutex_;  // guards the next four
  std::uint64_t interrupted_token_ = ~std::uint64_t{0};
  std::int64_t interrupted_at_ns_ = 0;
  std::uint64_t cpu_at_interrupt_ns_ = 0;
  std::int64_t killed_at_ns_ = 0;  // the latest kill
  std::atomic<bool> stuck_{false};
  std::atomic<clockid_t> cpu_clock_{CLOCK_REALTIME};  // CLOCK_REALTIME: no thread yet
};
