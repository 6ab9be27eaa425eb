// Whether the kernel holds a worker's whole tree to its memory, in the sandbox of these tests.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "environments/sandbox/cgroups.h"

namespace lambed::testing {

inline bool has_memory_groups() {
  const sandbox::CgroupMounts mounts = sandbox::CgroupMounts::find();
  const char* layer = std::getenv("LAMBED_SANDBOX_LAYER");
  const bool is_layer_of_groups = layer == nullptr || std::string(layer).starts_with("cgroup");
  return ::geteuid() == 0 && is_layer_of_groups && (mounts.v1_has_all() || mounts.v2_has_all());
}

}  // namespace lambed::testing
