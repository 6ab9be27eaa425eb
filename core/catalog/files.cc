#include "catalog/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace lambed::catalog {

Error disk_error(const std::string& what, const std::string& path, int error_number) {
  return {ErrorCode::ServiceException,
          fmt::format("Could not {} {}: {}", what, path, std::generic_category().message(error_number))};
}

Result<Descriptor> create_file(const std::string& path, bool executable) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, executable ? 0755 : 0644);
  if (fd < 0) return disk_error("create", path, errno);
  return Descriptor(fd);
}

Result<void> write_all(const Descriptor& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return disk_error("write", path, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_file(const std::string& path, std::string_view bytes, bool executable) {
  auto file = create_file(path, executable);
  if (!file.ok()) return file.error();
  if (auto written = write_all(*file, bytes, path); !written.ok()) return written;
  if (!file->close()) return disk_error("write", path, errno);
  return {};
}

Result<void> read_file(const std::string& path, const std::function<Result<void>(std::string_view)>& piece) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return disk_error("open", path, errno);
  std::string buffer(std::size_t{64} * 1024, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got == 0) return {};
    if (got < 0) {
      if (errno == EINTR) continue;
      return disk_error("read", path, errno);
    }
    if (auto taken = piece({buffer.data(), static_cast<std::size_t>(got)}); !taken.ok()) return taken;
  }
}

bool is_safe_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos || path.find('\\') != std::string_view::npos) return false;
  for (;;) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_safe_link(std::string_view link, std::string_view target) {
  if (target.empty() || target.find('\0') != std::string_view::npos || target.front() == '/') return false;
  auto depth = std::count(link.begin(), link.end(), '/');
  bool down = false;
  for (;;) {
    const auto slash = target.find('/');
    const std::string_view part = target.substr(0, slash);
    if (part == "..") {
      if (down || depth-- == 0) return false;
    } else if (!part.empty() && part != ".") {
      down = true;
    }
    if (slash == std::string_view::npos) return true;
    target.remove_prefix(slash + 1);
  }
}

}  // namespace lambed::catalog
