// The core as the plugin of a worker sees it: lambed_core over the channel to the server.
//
// Threads: as lambed/host.h says of lambed_core. There is one environment in a worker, and one object of this kind, which is
// made before the plugin opens it and never destroyed.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "environments/channel/worker_end.h"
#include "lambed/host.h"

namespace lambed::worker {

class WorkerCore {
 public:
  // What plugins get, before and after the fork. Its `user` is the WorkerCore.
  static const lambed_core& table();
  // What was said by `notice` without an environment: while the interpreter started.
  static std::vector<std::string> take_start_notices();

  explicit WorkerCore(channel::SharedMemory memory);

  void opened(const lambed_outcome& outcome);
  lambed_take take(lambed_invocation& invocation);
  void wait();
  void nudge() { end_.nudge(); }
  void complete(std::uint64_t token, const lambed_outcome& outcome);
  void log(std::uint32_t stream, lambed_slice bytes, std::int64_t realtime_us);
  void closed();

  // Until closed().
  void wait_until_closed();

 private:
  channel::WorkerEnd end_;
  std::atomic<std::uint64_t> token_{0};  // of what runs; 0: nothing
  std::atomic<bool> is_open_{false};     // `opened` was called
  std::atomic<std::uint32_t> closed_{0};
};

}  // namespace lambed::worker
