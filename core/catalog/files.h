// Writing and reading whole files and folders, with errors as values. Functions; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lambed::catalog {

// An open file descriptor, closed with its owner.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release();
  // Closes now; false when the file system reports only now that something was not written.
  bool close();

 private:
  int fd_ = -1;
};

// A ServiceException with the cause from errno: "Could not write /x: No space left on device".
Error disk_error(const std::string& what, const std::string& path, int error_number);

// A new file (it must not exist, no symbolic link is followed). Errors: disk_error.
Result<FileDescriptor> create_file(const std::string& path, bool executable);
Result<void> write_all(const FileDescriptor& file, std::string_view bytes, const std::string& path);
Result<void> write_file(const std::string& path, std::string_view bytes, bool executable);

// The file in pieces. Errors: disk_error.
Result<void> read_file(const std::string& path, const std::function<Result<void>(std::string_view)>& piece);

// A path inside a folder that is being filled, as an archive names it: relative, no empty, "." or ".." parts, no NUL, no
// backslash (which is a separator to those who wrote such an archive).
bool is_safe_path(std::string_view path);
// The target of a symbolic link that lies at `link` (a safe path) stays inside the folder: relative, ".." only at its front
// and no more of them than the link is deep. A later ".." could leave through another link.
bool is_safe_link(std::string_view link, std::string_view target);

}  // namespace lambed::catalog
