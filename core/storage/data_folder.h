// The folder that `--data` names: one process's at a time.
#pragma once

#include <memory>
#include <string>

namespace lambed::storage {

// Holds the folder's lock as long as it lives, and the kernel lets it go when the process ends, however it ends.
class DataFolder {
 public:
  // Makes the folder (mode 0700) if it is not there. Throws std::runtime_error: another server has it, it cannot be written.
  explicit DataFolder(const std::string& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  std::string catalogue() const { return path_ + "/catalogue.db"; }
  std::string code() const { return path_ + "/code.db"; }
  // Asynchronous invocations: a file of its own, so that a burst of them does not hold up the catalogue's writes and damage to
  // the one is not damage to the other.
  std::string events() const { return path_ + "/events.db"; }
  std::string dead_letters() const { return path_ + "/dead-letters.db"; }

 private:
  const std::string path_;
  int lock_ = -1;
};

}  // namespace lambed::storage
