// A disk for SQLite that loses power: files in memory, of which only what was synchronised is sure to outlive a cut. Of the rest a
// random part survives, by sectors of 512 bytes, in any order, torn where a write spans several.
// Threads: one database at a time; its methods from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace lambed::testing {

class CuttingDisk {
 public:
  // Registers itself with SQLite as `name`.
  explicit CuttingDisk(std::string name);
  ~CuttingDisk();
  CuttingDisk(const CuttingDisk&) = delete;
  CuttingDisk& operator=(const CuttingDisk&) = delete;

  const char* name() const { return name_.c_str(); }
  // After so many more writes and syncs every operation fails: the power is gone.
  void cut_after(std::uint64_t operations);
  bool is_cut();
  // After so many more bytes writes fail with "disk full", until it is called again.
  void fill_after(std::uint64_t bytes);
  // The power is back: files hold what was synchronised and a random part of what was not.
  void restore(std::mt19937_64& random);
  std::uint64_t operations();

  // ---- For the VFS.
  struct Write {
    std::uint64_t offset;
    std::string bytes;
    bool truncate = false;  // to `offset`
  };
  struct File {
    std::string content;  // as programs see it
    std::string synced;
    std::vector<Write> loose;  // since the last sync
  };
  // False: the power is gone.
  bool step();
  bool take(std::uint64_t bytes);  // false: full
  std::mutex& mutex() { return mutex_; }
  std::shared_ptr<File> open(const std::string& path, bool create);
  bool exists(const std::string& path);
  void remove(const std::string& path);

 private:
  const std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::recursive_mutex state_;  // guards what follows
  std::mutex mutex_;            // held during an operation on a file
  std::map<std::string, std::shared_ptr<File>> files_;
  std::uint64_t operations_ = 0;
  std::uint64_t cut_at_ = UINT64_MAX;
  std::uint64_t room_ = UINT64_MAX;
};

}  // namespace lambed::testing
