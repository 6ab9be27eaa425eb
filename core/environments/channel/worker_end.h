// The worker's end of a channel: takes orders, writes answers and log records. It trusts the server.
//
// Threads: take, wait and answer are the environment's thread's; nudge and log may come from any thread, log also from
// processes that the function forks: they write to the same ring, kept apart by a lock in the shared memory that survives the
// death of whoever holds it.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <string_view>

#include "environments/channel/shared_memory.h"
#include "lambed/host.h"

namespace lambed::channel {

class WorkerEnd {
 public:
  // Before anything else runs in the worker.
  explicit WorkerEnd(SharedMemory memory);

  // Fills `invocation`, whose slices stay valid until it is answered; false: there is no order that was not taken.
  bool take(lambed_invocation& invocation);
  // Until there is an order, or nudge() was called, or sometimes for no reason.
  void wait();
  void nudge();

  // Copies the outcome; what does not fit is answered in the way that says so.
  void answer(AnswerKind kind, std::uint64_t token, const lambed_outcome& outcome);

  // Any number of bytes. Waits while the ring is full.
  void log(std::uint32_t stream, std::string_view bytes, std::int64_t realtime_us);

 private:
  class LogLock;
  Page& page() const { return memory_.page(); }
  pthread_mutex_t& log_mutex() const { return *reinterpret_cast<pthread_mutex_t*>(page().log_lock.data()); }
  void log_piece(std::uint32_t stream, std::string_view bytes, std::int64_t realtime_us);
  void copy_to_log(std::uint64_t at, const void* from, std::size_t bytes) const;

  SharedMemory memory_;
  std::uint32_t taken_ = 0;
  std::atomic<bool> nudged_{false};
};

}  // namespace lambed::channel
