// What a supervisor keeps of one environment, and how it talks to its init.
//
// Thread: the supervisor's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "environments/sandbox/cgroups.h"
#include "environments/sandbox/image_keeper.h"
#include "environments/sandbox/init.h"
#include "environments/sandbox/posix.h"
#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

struct Child::State {
  pid_t pid = -1;
  Descriptor pidfd, control;
  Descriptor memory_peak;  // without control groups: what init has seen
  std::unique_ptr<Cgroup> cgroup;
  std::string tmp;  // a folder of ours, to be removed
  TmpImage image;   // what /tmp is, where that is not a tmpfs or a folder
  Limits limits;
  std::optional<Report> ended;
  bool has_tunnel = false;  // for datagrams
  bool killed = false;
  bool reaped = false;

  ~State();

  void end();
  int wait();
  // Reaps init; what it has told of the end.
  Ending await_end();
  // A report that is there or comes within the time; kEnded is kept for finish().
  std::optional<Report> receive(int patience);
  std::optional<Report> ask(Command::Kind kind, double cores = 0);
  // Until init says that the body is about to run, or what has failed.
  Result<void> await_ready(Layer layer);
};

}  // namespace lambed::sandbox
