#include "support/cutting_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

namespace lambed::testing {
namespace {

constexpr std::uint64_t kSector = 512;

struct Handle {
  sqlite3_file base;
  CuttingDisk* disk;
  std::shared_ptr<CuttingDisk::File>* file;
};

Handle& handle_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }

void apply_write(std::string& content, const CuttingDisk::Write& write) {
  if (write.truncate) {
    content.resize(write.offset);
    return;
  }
  if (content.size() < write.offset + write.bytes.size()) content.resize(write.offset + write.bytes.size());
  std::memcpy(content.data() + write.offset, write.bytes.data(), write.bytes.size());
}

int close(sqlite3_file* file) {
  delete handle_of(file).file;
  handle_of(file).file = nullptr;
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* to, int amount, sqlite3_int64 offset) {
  Handle& handle = handle_of(file);
  std::lock_guard lock(handle.disk->mutex());
  if (handle.disk->is_cut()) return SQLITE_IOERR_READ;
  const std::string& content = (*handle.file)->content;
  const auto at = static_cast<std::size_t>(offset);
  const std::size_t there =
      at >= content.size() ? 0 : std::min(content.size() - at, static_cast<std::size_t>(amount));
  if (there > 0) std::memcpy(to, content.data() + at, there);
  if (there == static_cast<std::size_t>(amount)) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + there, 0, static_cast<std::size_t>(amount) - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  Handle& handle = handle_of(file);
  std::lock_guard lock(handle.disk->mutex());
  CuttingDisk::File& there = **handle.file;
  CuttingDisk::Write change{static_cast<std::uint64_t>(offset),
                            std::string(static_cast<const char*>(from), static_cast<std::size_t>(amount))};
  const std::uint64_t end = change.offset + change.bytes.size();
  if (end > there.content.size() && !handle.disk->take(end - there.content.size())) return SQLITE_FULL;
  const bool has_power = handle.disk->step();
  // The write during which the power goes may have reached the disk in part.
  apply_write(there.content, change);
  there.loose.push_back(std::move(change));
  return has_power ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  Handle& handle = handle_of(file);
  std::lock_guard lock(handle.disk->mutex());
  if (!handle.disk->step()) return SQLITE_IOERR_TRUNCATE;
  CuttingDisk::Write change{static_cast<std::uint64_t>(size), {}, true};
  apply_write((*handle.file)->content, change);
  (*handle.file)->loose.push_back(std::move(change));
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int) {
  Handle& handle = handle_of(file);
  std::lock_guard lock(handle.disk->mutex());
  if (!handle.disk->step()) return SQLITE_IOERR_FSYNC;
  CuttingDisk::File& there = **handle.file;
  there.synced = there.content;
  there.loose.clear();
  return SQLITE_OK;
}

int size_of(sqlite3_file* file, sqlite3_int64* size) {
  Handle& handle = handle_of(file);
  std::lock_guard lock(handle.disk->mutex());
  *size = static_cast<sqlite3_int64>((*handle.file)->content.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* held) { return *held = 0, SQLITE_OK; }
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector(sqlite3_file*) { return static_cast<int>(kSector); }
int traits(sqlite3_file*) { return 0; }

constexpr sqlite3_io_methods kMethods = {1,       close,   read,       write,   truncate, sync,   size_of,
                                         lock,    lock,    check_lock, control, sector,   traits, nullptr,
                                         nullptr, nullptr, nullptr,    nullptr, nullptr};

CuttingDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<CuttingDisk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  Handle& handle = handle_of(file);
  handle.base.pMethods = nullptr;
  CuttingDisk& disk = disk_of(vfs);
  if (disk.is_cut()) return SQLITE_CANTOPEN;
  static int temporary = 0;
  const std::string name = path != nullptr ? path : "temporary" + std::to_string(++temporary);
  auto found = disk.open(name, (flags & SQLITE_OPEN_CREATE) != 0);
  if (found == nullptr) return SQLITE_CANTOPEN;
  handle.disk = &disk;
  handle.file = new std::shared_ptr<CuttingDisk::File>(std::move(found));
  handle.base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs* vfs, const char* path, int) {
  if (!disk_of(vfs).step()) return SQLITE_IOERR_DELETE;
  disk_of(vfs).remove(path);
  return SQLITE_OK;
}

int access(sqlite3_vfs* vfs, const char* path, int, int* there) {
  *there = disk_of(vfs).exists(path) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
  return sqlite3_snprintf(size, out, "%s", path), SQLITE_OK;
}

}  // namespace

CuttingDisk::CuttingDisk(std::string name) : name_(std::move(name)), vfs_(std::make_unique<sqlite3_vfs>()) {
  // Everything that is no file is the system's.
  *vfs_ = *::sqlite3_vfs_find(nullptr);
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(Handle);
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->pNext = nullptr;
  vfs_->xOpen = open_file;
  vfs_->xDelete = remove_file;
  vfs_->xAccess = access;
  vfs_->xFullPathname = full_path;
  // The system's own methods take its pAppData for theirs.
  vfs_->xRandomness = [](sqlite3_vfs*, int size, char* out) {
    sqlite3_vfs* system = ::sqlite3_vfs_find("unix");
    return system->xRandomness(system, size, out);
  };
  vfs_->xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
  vfs_->xCurrentTime = [](sqlite3_vfs*, double* now) {
    sqlite3_vfs* system = ::sqlite3_vfs_find("unix");
    return system->xCurrentTime(system, now);
  };
  vfs_->xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
  ::sqlite3_vfs_register(vfs_.get(), 0);
}

CuttingDisk::~CuttingDisk() { ::sqlite3_vfs_unregister(vfs_.get()); }

void CuttingDisk::cut_after(std::uint64_t operations) {
  std::lock_guard lock(state_);
  cut_at_ = operations_ + operations;
}

bool CuttingDisk::is_cut() {
  std::lock_guard lock(state_);
  return operations_ >= cut_at_;
}

void CuttingDisk::fill_after(std::uint64_t bytes) {
  std::lock_guard lock(state_);
  room_ = bytes;
}

std::uint64_t CuttingDisk::operations() {
  std::lock_guard lock(state_);
  return operations_;
}

bool CuttingDisk::step() {
  std::lock_guard lock(state_);
  if (operations_ < cut_at_) ++operations_;
  return operations_ < cut_at_;
}

bool CuttingDisk::take(std::uint64_t bytes) {
  std::lock_guard lock(state_);
  if (bytes > room_) return false;
  if (room_ != UINT64_MAX) room_ -= bytes;
  return true;
}

std::shared_ptr<CuttingDisk::File> CuttingDisk::open(const std::string& path, bool create) {
  std::lock_guard lock(state_);
  const auto found = files_.find(path);
  if (found != files_.end()) return found->second;
  if (!create) return nullptr;
  return files_[path] = std::make_shared<File>();
}

bool CuttingDisk::exists(const std::string& path) {
  std::lock_guard lock(state_);
  return files_.count(path) > 0;
}

void CuttingDisk::remove(const std::string& path) {
  std::lock_guard lock(state_);
  files_.erase(path);
}

void CuttingDisk::restore(std::mt19937_64& random) {
  std::lock_guard lock(state_);
  std::bernoulli_distribution survives(std::uniform_real_distribution<>(0, 1)(random));
  for (auto& [path, file] : files_) {
    std::string content = file->synced;
    for (const Write& change : file->loose) {
      if (change.truncate) {
        if (survives(random)) apply_write(content, change);
        continue;
      }
      // Sector by sector: a disk promises no more.
      for (std::uint64_t at = 0; at < change.bytes.size();) {
        const std::uint64_t left = kSector - (change.offset + at) % kSector;
        const std::uint64_t size = std::min<std::uint64_t>(left, change.bytes.size() - at);
        if (survives(random)) apply_write(content, {change.offset + at, change.bytes.substr(at, size)});
        at += size;
      }
    }
    file->content = content;
    file->synced = std::move(content);
    file->loose.clear();
  }
  cut_at_ = UINT64_MAX;
  room_ = UINT64_MAX;
}

}  // namespace lambed::testing
