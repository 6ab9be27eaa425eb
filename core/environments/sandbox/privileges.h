// Giving up: identity, capabilities, resources. For a child that enters its sandbox; one way only. 0, or errno.
#pragma once

#include <sys/types.h>

#include <vector>

#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

// Becomes the user, with no groups where that may be said, or with those it has. Who was root loses what root may.
int become(uid_t uid, gid_t gid, bool keeps_groups);
// Before become(), while one may still do it.
int drop_bounding_set();
// All other sets; and no_new_privs, so that no program brings any back.
int drop_capabilities();

struct ResourceLimits {
  Limits limits;
  bool counts_processes =
      false;  // RLIMIT_NPROC: where the user is the environment's own and no control group counts
  bool limits_memory = false;  // RLIMIT_DATA and RLIMIT_FSIZE: where no control group does
};
int limit_resources(const ResourceLimits& wanted);

// Closes all but the listed ones and 0-2.
void close_all_but(std::vector<int> keep);

}  // namespace lambed::sandbox
