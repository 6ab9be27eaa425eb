#include "catalog/package_root.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "catalog/files.h"
#include "catalog/readers.h"

namespace lambed::catalog {

namespace fs = std::filesystem;

namespace {

constexpr char kPrefix[] = "lambed-packages-";

// Whoever made the folder holds this lock until his process ends, however it ends.
bool lock_folder(const Descriptor& folder, bool wait) {
  return folder.is_open() && ::flock(folder.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) == 0;
}

Descriptor open_folder(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_still_at(const Descriptor& folder, const std::string& path) {
  struct stat by_descriptor {};
  struct stat by_path {};
  return ::fstat(folder.get(), &by_descriptor) == 0 && ::lstat(path.c_str(), &by_path) == 0 &&
         by_descriptor.st_dev == by_path.st_dev && by_descriptor.st_ino == by_path.st_ino;
}

}  // namespace

void sweep_stale_roots(const std::string& temporary_folder) {
  std::error_code error;
  for (fs::directory_iterator it(temporary_folder, fs::directory_options::skip_permission_denied, error), end;
       !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(kPrefix)) continue;
    const Descriptor folder = open_folder(it->path());
    struct stat status {};
    if (!folder.is_open() || ::fstat(folder.get(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    if (!lock_folder(folder, false)) continue;
    std::error_code ignored;
    fs::remove_all(it->path(), ignored);
  }
}

PackageRoot::~PackageRoot() {
  if (owner_ != ::getpid()) {
    // A child of fork(): neither the thread nor the folder are ours.
    if (remover_.joinable()) remover_.detach();
    return;
  }
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  remover_wakes_.notify_all();
  if (remover_.joinable()) remover_.join();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Result<void> PackageRoot::make() {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  if (error) return disk_error("use as temporary folder", "TMPDIR", error.value());
  sweep_stale_roots(temporary);
  // A sweeper may come between mkdtemp and flock; then our folder is gone when we hold its lock, and we try again.
  for (;;) {
    std::string folder = temporary / (std::string(kPrefix) + "XXXXXX");
    if (::mkdtemp(folder.data()) == nullptr) return disk_error("create a folder like", folder, errno);
    Descriptor lock = open_folder(folder);
    if (!lock_folder(lock, true) || !is_still_at(lock, folder)) {
      if (lock.is_open()) continue;
      if (errno == ENOENT) continue;
      return disk_error("lock", folder, errno);
    }
    open_to_readers(folder);
    folder_ = std::move(folder);
    lock_ = std::move(lock);
    owner_ = ::getpid();
    return {};
  }
}

Result<std::string> PackageRoot::subfolder(const std::string& name) {
  if (folder_.empty()) {
    if (auto made = make(); !made.ok()) return made.error();
  }
  std::string path = folder_ + "/" + name;
  if (::mkdir(path.c_str(), 0700) == 0) {
    open_to_readers(path);
  } else if (errno != EEXIST) {
    return disk_error("create", path, errno);
  }
  return path;
}

Result<std::string> PackageRoot::fresh_path(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto folder = subfolder(name);
  if (!folder.ok()) return folder;
  return *folder + "/" + std::to_string(++next_);
}

Result<std::string> PackageRoot::path(const std::string& name, const std::string& file) {
  std::lock_guard lock(mutex_);
  auto folder = subfolder(name);
  if (!folder.ok()) return folder;
  return *folder + "/" + file;
}

void PackageRoot::discard(const std::string& path) {
  {
    std::lock_guard lock(mutex_);
    if (owner_ != ::getpid()) return;
    discarded_.push_back(path);
    if (!remover_.joinable()) remover_ = std::thread([this] { remove_discarded(); });
  }
  remover_wakes_.notify_all();
}

void PackageRoot::settle() {
  std::unique_lock lock(mutex_);
  remover_is_done_.wait(lock, [this] { return discarded_.empty() && !removing_; });
}

void PackageRoot::remove_discarded() {
  std::unique_lock lock(mutex_);
  for (;;) {
    remover_wakes_.wait(lock, [this] { return ending_ || !discarded_.empty(); });
    if (discarded_.empty()) return;
    const std::string path = std::move(discarded_.back());
    discarded_.pop_back();
    removing_ = true;
    lock.unlock();
    std::error_code ignored;
    fs::remove_all(path, ignored);
    lock.lock();
    removing_ = false;
    remover_is_done_.notify_all();
  }
}

}  // namespace lambed::catalog
