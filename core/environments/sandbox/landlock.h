// Which files a process may touch, by the Landlock security module: the only wall of the file system in the bare layer, the
// second one behind pivot_root in the others. It also keeps a process from tracing, and since Linux 6.12 from signalling,
// those outside.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lambed::sandbox {

// The kernel's version of the interface; 0 when there is none.
int landlock_version();

struct FileAccess {
  std::vector<std::string>
      readable;  // files and folders with all below: read and execute; passed over when not there
  std::vector<std::string> writable;  // the same, and write, make, remove, rename; no device files
  std::vector<std::string> devices;   // read and write what is there
};

// For the calling thread and all it starts; needs no_new_privs. 0, or errno.
int restrict_files(const FileAccess& access);

}  // namespace lambed::sandbox
