#include "storage/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace lambed::storage {

DataFolder::DataFolder(const std::string& path) : path_(path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    std::filesystem::create_directories(path, error);
    ::chmod(path.c_str(), 0700);
  }
  if (error) throw std::runtime_error(path + ": " + error.message());
  lock_ = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const bool is_taken = errno == EWOULDBLOCK;
    const std::string why = std::strerror(errno);
    ::close(lock_);
    throw std::runtime_error(path + ": " + (is_taken ? "another server uses this folder" : why));
  }
}

DataFolder::~DataFolder() { ::close(lock_); }

}  // namespace lambed::storage
