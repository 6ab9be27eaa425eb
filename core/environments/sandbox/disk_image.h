// A file system of a chosen size for the /tmp of one environment, on a disk of this machine: an ext4 image in a file without a
// name, on a loop device, mounted nowhere until somebody moves the mount to its place.
//
// File, loop device and mount go with the last descriptor and mount of them, however the processes that hold them end. What an
// environment has written is never read by anybody but the kernel that mounted the fresh image, and no image serves twice.
// For one thread that may wait for the disk, as root.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "environments/sandbox/file_view.h"
#include "environments/sandbox/posix.h"

namespace lambed::sandbox {

// The first of the folders that lies on a disk; empty: none does. A tmpfs would be memory again.
std::string folder_on_disk(const std::vector<std::string>& folders);

struct ImagePlace {
  std::string folder;
  // The loop device keeps no copy in memory. With cgroup v2 such a copy would count as the environment's, and could not be made
  // when that has used its memory up; v2 slows down who writes faster than the disk. v1 does not, and ends an environment whose
  // memory is full of what the disk has not taken yet: there the copy, which nobody's limit counts, takes it at once.
  bool is_direct = false;
};

// What mkfs makes of an empty file, so that it runs once for each size.
class ImageForm {
 public:
  // Of an image that has `usable` bytes for files. Runs mkfs.
  static Trouble make(const ImagePlace& place, std::uint64_t usable, ImageForm& made);

 private:
  friend class DiskImage;
  struct Piece {
    std::uint64_t at;
    std::string bytes;
  };
  ImagePlace place_;
  std::uint64_t blocks_ = 0;
  std::vector<Piece> pieces_;  // all that is not zero
};

class DiskImage {
 public:
  static Trouble make(const ImageForm& form, DiskImage& made);
  DiskImage() = default;
  DiskImage(DiskImage&&) = default;
  DiskImage& operator=(DiskImage&&) = default;
  ~DiskImage();

  // To be moved to its place. What is left here keeps the file system alive.
  Descriptor release_mount();
  int folder() const { return folder_.get(); }

 private:
  friend class ImageForm;
  Trouble attach(bool is_direct);
  Trouble mount_device();

  std::string device_;         // "/dev/loop3"
  Descriptor file_, loop_;     // loop_: for reading; nobody may write to a mounted device
  Descriptor mount_, folder_;  // folder_: its root
};

}  // namespace lambed::sandbox
