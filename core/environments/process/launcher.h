// The server's side of a launcher: starts the program, asks it for workers, hears what becomes of them.
//
// Threads: every method from any thread; none blocks but start(). One thread of its own, detached, reads what the launcher says and
// what workers write to their outputs, and calls the residents; it ends with the launcher. The object lives as long as somebody
// holds it and that thread runs.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "environments/channel/messages.h"
#include "environments/channel/packet.h"

namespace lambed::process {

// Who has a worker: an environment. Called on the launcher's thread, one call at a time for each resident.
class Resident {
 public:
  virtual ~Resident() = default;
  virtual void started(pid_t worker, Descriptor memory_file) = 0;
  // There is something to read from the worker's output `which` (0 standard output, 1 standard error). False: no more comes.
  virtual bool output_ready(int which) = 0;
  // The worker and all its processes are gone, or it never was. Once, and the last call.
  virtual void ended(const channel::Ended& how) = 0;
};

class Launcher : public std::enable_shared_from_this<Launcher> {
 public:
  struct Options {
    std::string program;
    std::string preloaded;  // not empty: the program is another one, and becomes a launcher by this library
    channel::Hello hello;
  };
  // Starts the program and waits until it can make workers. Errors: HostUnavailable with its words.
  static Result<std::shared_ptr<Launcher>> start(const Options& options);
  ~Launcher();

  const channel::Ready& ready() const { return ready_; }
  pid_t pid() const { return pid_; }
  bool is_alive() const { return alive_.load(std::memory_order_acquire); }

  // Asks for a worker; spawn.id is filled in and returned. `resident` hears of it from now on, at the least its end. `outputs`:
  // the ends of two pipes to read from, watched but owned by the resident. 0: the launcher is gone, nothing was begun.
  std::uint64_t spawn(channel::Spawn spawn, const std::shared_ptr<Resident>& resident,
                      std::vector<Descriptor> for_worker, int output, int error);
  void act(std::uint64_t id, channel::Deed deed);

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<Descriptor> descriptors;
  };
  struct Ward {
    std::shared_ptr<Resident> resident;
    int outputs[2] = {-1, -1};
  };

  Launcher(Descriptor socket, pid_t pid);
  Result<void> wait_until_ready();
  void run();
  bool receive();
  bool handle(channel::Packet packet);
  void end_ward(const channel::Ended& how);
  void output_ready(std::uint64_t tag);
  std::shared_ptr<Resident> resident_of(std::uint64_t id);
  // ---- With mutex_ held.
  void send(std::string bytes, std::vector<Descriptor> descriptors);
  void flush();

  const Descriptor socket_;
  const Descriptor poll_;
  const pid_t pid_;
  const Descriptor process_;  // its pidfd
  channel::Ready ready_;
  std::atomic<bool> alive_{true};

  std::mutex mutex_;  // guards what follows
  std::map<std::uint64_t, Ward> wards_;
  std::deque<Outgoing> outgoing_;
  bool waits_to_send_ = false;
  std::uint64_t next_id_ = 1;
};

}  // namespace lambed::process
