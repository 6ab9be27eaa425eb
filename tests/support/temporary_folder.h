// A folder for what a test writes.
#pragma once

#include <string>

namespace lambed::testing {

// A folder under the system's temp folder that every user may read, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  // Writes `text` to `relative_path`, making folders as needed; returns the absolute path.
  std::string write(const std::string& relative_path, const std::string& text) const;

 private:
  std::string path_;
};

}  // namespace lambed::testing
