// Which users environments run as. Values; where a user is mapped, for the supervisor's thread.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

// Every environment has a number of its own, from a range that nobody else uses.
class Users {
 public:
  explicit Users(Layer layer);

  // To become, as a number inside; in the root layers the part of an init is added.
  uid_t uid(int environment) const;
  gid_t gid(int environment) const;
  // What is added for an init of this number.
  pid_t part_of(pid_t init) const;
  // In a user namespace: gives a process that waits in a new one its user and group.
  Result<void> map(pid_t init) const;

 private:
  const Layer layer_;
  const uid_t first_;
};

}  // namespace lambed::sandbox
