// The processes of an environment as its init sees them: all of its pid namespace, or without one all that descend from it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace lambed::sandbox {

class ProcessTree {
 public:
  explicit ProcessTree(bool own_namespace) : own_namespace_(own_namespace) {}

  // Without init itself.
  std::vector<pid_t> processes() const;
  void signal(int number) const;
  // SIGKILL until none is left that can be seen; reaps. Waits for it.
  void kill_all() const;

  // Memory that the tree uses alone or shares inside, as the kernel's figures have it: pages that it shares with the
  // supervisor since the fork are divided among all who have them. `limit`: an exact figure is taken, at a cost, only when a
  // cheap upper bound is above it.
  std::uint64_t memory(std::uint64_t limit) const;
  // Of living processes and of those that were reaped.
  std::chrono::milliseconds cpu_used() const;

 private:
  bool own_namespace_;
};

}  // namespace lambed::sandbox
