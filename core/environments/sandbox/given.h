// What an environment that was made ahead is given when its function is known: from the supervisor to init, and from there to the
// process that runs the body. Values.
#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "environments/sandbox/file_view.h"
#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

// A message of fixed size; paths that are longer are not to be had in a prepared environment.
struct Given {
  static constexpr int kMostLayers = 5;  // as many as a function may have
  struct Folder {
    char path[4096];  // empty: none
    dev_t device;
    ino_t inode;
  };
  Limits limits;
  bool host_loopback = false;
  int layer_count = 0;
  Folder task_root{};
  Folder layers[kMostLayers]{};

  // Looks at the folders. Errors: one cannot be found, or it does not fit in here.
  static Result<std::unique_ptr<Given>> describe(const Spec& spec);

  KnownFolder known_task_root() const { return known(task_root); }
  std::vector<KnownFolder> known_layers() const;

 private:
  static KnownFolder known(const Folder& folder) { return {folder.path, folder.device, folder.inode}; }
};

}  // namespace lambed::sandbox
