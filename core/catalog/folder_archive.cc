#include "catalog/folder_archive.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/digest.h"
#include "catalog/files.h"
#include "model/violations.h"

namespace lambed::catalog {

namespace fs = std::filesystem;

namespace {

struct Found {
  char kind;
  std::uint64_t size;
  struct stat status;
};
using Listing = std::map<std::string, Found>;  // by relative path

Error not_code(const std::string& path, const std::string& cause) {
  return model::invalid_parameter(fmt::format("The code folder cannot be copied: {} {}", path, cause));
}

Result<Listing> list(const std::string& folder) {
  Listing listing;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    // Derived from the code by running it: a digest that changed with the first invocation would be of no use.
    if (it->path().filename() == "__pycache__") {
      it.disable_recursion_pending();
      continue;
    }
    const std::string path = it->path().lexically_relative(folder).string();
    Found found{};
    if (::lstat(it->path().c_str(), &found.status) != 0) {
      if (errno == ENOENT) continue;  // removed while we were looking
      return disk_error("read", it->path(), errno);
    }
    found.size = static_cast<std::uint64_t>(found.status.st_size);
    switch (found.status.st_mode & S_IFMT) {
      case S_IFDIR:
        found.kind = 'd';
        found.size = 0;
        break;
      case S_IFREG:
        found.kind = (found.status.st_mode & 0111) != 0 ? 'x' : 'f';
        break;
      case S_IFLNK:
        found.kind = 'l';
        break;
      default:
        found.kind = '?';
        break;
    }
    listing.emplace(path, found);
  }
  if (error) return disk_error("read", folder, error.value());
  return listing;
}

Result<std::string> link_target(const std::string& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  if (size < 0) return disk_error("read", path, errno);
  target.resize(static_cast<std::size_t>(size));
  return target;
}

std::string header(char kind, const std::string& path, std::uint64_t size) {
  return fmt::format("{} {} {}\n{}", kind, path.size(), size, path);
}

// ---- Unpacking

Error no_archive(const std::string& path) {
  return {ErrorCode::ServiceException, "The stored code " + path + " is damaged"};
}

class Unpacking {
 public:
  Unpacking(const std::string& archive_path, std::string folder)
      : archive_path_(archive_path), in_(archive_path, std::ios::binary), folder_(std::move(folder)) {}

  Result<void> run() {
    if (!in_) return disk_error("open", archive_path_, errno);
    while (in_.peek() != std::ifstream::traits_type::eof()) {
      if (auto done = entry(); !done.ok()) return done;
    }
    if (in_.bad()) return disk_error("read", archive_path_, EIO);
    for (const auto& [path, target] : links_) {
      if (::symlink(target.c_str(), path.c_str()) != 0) return disk_error("create", path, errno);
    }
    return {};
  }

 private:
  Result<void> entry() {
    std::string line;
    std::getline(in_, line);
    std::uint64_t path_size = 0, size = 0;
    const char* const end = line.data() + line.size();
    if (line.size() < 5 || line[1] != ' ') return no_archive(archive_path_);
    const auto first = std::from_chars(line.data() + 2, end, path_size);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return no_archive(archive_path_);
    const auto second = std::from_chars(first.ptr + 1, end, size);
    if (second.ec != std::errc() || second.ptr != end || path_size > PATH_MAX)
      return no_archive(archive_path_);
    std::string path(path_size, '\0');
    if (!in_.read(path.data(), static_cast<std::streamsize>(path_size)) || !is_safe_path(path)) {
      return no_archive(archive_path_);
    }
    const std::string at = folder_ + "/" + path;
    switch (line[0]) {
      case 'd':
        if (::mkdir(at.c_str(), 0755) != 0) return disk_error("create", at, errno);
        return {};
      case 'f':
      case 'x':
        return file(at, size, line[0] == 'x');
      case 'l':
        return link(path, at, size);
      default:
        return no_archive(archive_path_);
    }
  }

  Result<void> file(const std::string& at, std::uint64_t size, bool executable) {
    auto out = create_file(at, executable);
    if (!out.ok()) return out.error();
    std::string buffer(std::size_t{64} * 1024, '\0');
    while (size > 0) {
      const auto want = static_cast<std::streamsize>(std::min<std::uint64_t>(size, buffer.size()));
      if (!in_.read(buffer.data(), want)) return no_archive(archive_path_);
      if (auto written = write_all(*out, {buffer.data(), static_cast<std::size_t>(want)}, at); !written.ok())
        return written;
      size -= static_cast<std::uint64_t>(want);
    }
    if (!out->close()) return disk_error("write", at, errno);
    return {};
  }

  Result<void> link(const std::string& path, const std::string& at, std::uint64_t size) {
    if (size > PATH_MAX) return no_archive(archive_path_);
    std::string target(size, '\0');
    if (!in_.read(target.data(), static_cast<std::streamsize>(size)) || !is_safe_link(path, target)) {
      return no_archive(archive_path_);
    }
    links_.emplace_back(at, std::move(target));
    return {};
  }

  const std::string& archive_path_;
  std::ifstream in_;
  std::string folder_;
  std::vector<std::pair<std::string, std::string>> links_;  // made last, as for zips
};

}  // namespace

Result<FolderSize> measure_folder(const std::string& folder) {
  const auto listing = list(folder);
  if (!listing.ok()) return listing.error();
  FolderSize measured;
  Sha256 signature;
  for (const auto& [path, found] : *listing) {
    if (found.kind != 'd') measured.bytes += found.size;
    signature.update(header(found.kind, path, found.size));
    signature.update(fmt::format("{}.{:09} {} ", found.status.st_mtim.tv_sec, found.status.st_mtim.tv_nsec,
                                 found.status.st_ino));
  }
  measured.signature = to_hex(signature.finish());
  return measured;
}

Result<void> archive_folder(const std::string& folder, std::uint64_t most_bytes,
                            const std::function<Result<void>(std::string_view)>& piece) {
  const auto listing = list(folder);
  if (!listing.ok()) return listing.error();
  std::uint64_t total = 0;
  for (const auto& [path, found] : *listing) {
    if (found.kind == '?') return not_code(path, "is neither a file, a folder nor a symbolic link.");
    if (!is_safe_path(path)) return not_code(path, "has a backslash in its name.");
    if (found.kind == 'l' || found.kind == 'd') continue;
    total += found.size;
    if (total > most_bytes) {
      return model::invalid_parameter(fmt::format("Unzipped size must be smaller than {} bytes", most_bytes));
    }
  }
  for (const auto& [path, found] : *listing) {
    const std::string at = folder + "/" + path;
    if (found.kind == 'l') {
      const auto target = link_target(at);
      if (!target.ok()) return target.error();
      if (!is_safe_link(path, *target))
        return not_code(path, "is a symbolic link that may lead outside of the folder.");
      if (auto done = piece(header('l', path, target->size()) + *target); !done.ok()) return done;
      continue;
    }
    if (auto done = piece(header(found.kind, path, found.size)); !done.ok()) return done;
    if (found.kind == 'd') continue;
    std::uint64_t read = 0;
    const auto done = read_file(at, [&](std::string_view bytes) {
      read += bytes.size();
      return piece(bytes);
    });
    if (!done.ok()) return done;
    if (read != found.size) return not_code(path, "changed while it was read; try again.");
  }
  return {};
}

Result<void> unpack_folder(const std::string& archive_path, const std::string& folder) {
  if (::mkdir(folder.c_str(), 0755) != 0) return disk_error("create", folder, errno);
  auto done = Unpacking(archive_path, folder).run();
  if (!done.ok()) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  return done;
}

}  // namespace lambed::catalog
