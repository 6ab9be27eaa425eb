// The private temporary folder of a package store.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace lambed::catalog {

// Made in TMPDIR when it is first needed, closed to others (but see readers.h), and locked by flock as long as this process
// lives; roots whose process has died are swept then. Removed, with all that is in it, when the object goes.
// Threads: any thread may call any method.
class PackageRoot {
 public:
  PackageRoot() = default;
  ~PackageRoot();
  PackageRoot(const PackageRoot&) = delete;
  PackageRoot& operator=(const PackageRoot&) = delete;

  // A path in a subfolder that no one else was given: ".../code/17". The subfolder exists, the path does not. Errors:
  // ServiceException when TMPDIR cannot be written.
  Result<std::string> fresh_path(const std::string& subfolder);
  // A path in a subfolder by name. As above, but the path may exist.
  Result<std::string> path(const std::string& subfolder, const std::string& name);

  // Removes a folder of this root without making the caller wait: a thread of this object does it.
  void discard(const std::string& path);
  // Returns when everything discarded so far is gone.
  void settle();

 private:
  Result<std::string> subfolder(const std::string& name);
  Result<void> make();
  void remove_discarded();

  std::mutex mutex_;  // guards what follows
  std::string folder_;
  Descriptor lock_;
  int owner_ = 0;  // a child of fork() must not remove what its parent uses
  std::uint64_t next_ = 0;
  std::thread remover_;
  std::condition_variable remover_wakes_;
  std::condition_variable remover_is_done_;
  std::vector<std::string> discarded_;
  bool removing_ = false;
  bool ending_ = false;
};

// Removes roots in `temporary_folder` that no living process holds. Called by PackageRoot; public for its tests.
void sweep_stale_roots(const std::string& temporary_folder);

}  // namespace lambed::catalog
