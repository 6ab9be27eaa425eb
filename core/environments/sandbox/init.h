// The first process of an environment: it sets the sandbox up, starts the process that runs the caller's body, makes its
// connections, reaps, watches what no control group watches, and ends when that process ends; the others end with it.
//
// It runs trusted code only, in a fork of the supervisor, on its one thread. Protocol with the supervisor, on a SOCK_SEQPACKET:
// it waits for kGo and, where there are control groups, for kAttached before it starts any other process; answers kReady or
// kFailed, then takes commands until it sends kEnded and exits. One that was made ahead of its function answers kReady a second
// time after kHandOut; until then it keeps the rights that the rest of the set-up takes. The body runs after the last kReady and
// never before: whoever did not get that may make another environment in the place of this one. End of file on that socket means
// that the supervisor died: it kills everything and exits.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "environments/sandbox/file_view.h"
#include "environments/sandbox/seccomp_program.h"

namespace lambed::sandbox {

struct Command {
  enum class Kind : int { kGo, kAttached, kFreeze, kThaw, kKill, kCpuQuota, kUsage, kHandOut };
  Kind kind = Kind::kGo;
  int pid = 0;  // with kGo: what this init adds to the number of its user
  double cores = 0;
};

struct Report {
  enum class Kind : int { kReady, kFailed, kDone, kEnded };
  Kind kind = Kind::kReady;
  int status = 0;              // kEnded: as waitpid tells it
  bool out_of_memory = false;  // kEnded: seen by the watch of memory, or told by the control group
  std::uint64_t memory_now = 0, memory_peak = 0;  // where there is no control group
  Trouble trouble;                                // kFailed
  bool has_tunnel = false;                        // kReady
};

// All that the child needs, made ready before the fork: after it, nothing may fail for want of what only the parent has.
struct EntryPlan {
  Layer layer = Layer::kBare;
  Limits limits;
  Place place;
  Inside inside;
  Network network;
  std::string resolv_conf;  // path of the machine's
  enum class Tunnel { kNone, kIfPossible, kNeeded };
  Tunnel tunnel = Tunnel::kNone;
  std::string tmp;     // kBare: the folder
  int tmp_image = -1;  // the mount for /tmp; -1: a tmpfs
  uid_t uid = 0;       // to become: as a number inside; in the root layers kGo's pid is added
  gid_t gid = 0;
  bool changes_user = false;
  const SeccompProgram* program = nullptr;
  const std::function<void()>* warm_up = nullptr;  // set: made ahead of its function (Supervisor::prepare)
  std::vector<int> keep;
  int control = -1;
  int memory_peak_file = -1;  // where init writes the highest use of memory; -1: a control group knows
  int memory_event = -1;      // becomes readable when memory ran out; -1: none
};

[[noreturn]] void run_init(const EntryPlan& plan, const std::function<int(const Inside&)>& body);

}  // namespace lambed::sandbox
