// Makes the images for /tmp ahead of their use, and takes them apart afterwards, in a process beside the supervisor: both wait for
// the disk and for the kernel, for tens of milliseconds, which no start of an environment should.
//
// An ImageKeeper belongs to the supervisor's thread. Its process is a fork of the supervisor, runs trusted code only, on threads
// of its own, and ends with the supervisor; what it has made goes then as disk_image.h says.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "environments/sandbox/disk_image.h"
#include "environments/sandbox/file_view.h"
#include "environments/sandbox/posix.h"

namespace lambed::sandbox {

class ImageKeeper;

// An image that is in use; taken apart with this. Before that, all processes that can reach it should be gone.
class TmpImage {
 public:
  TmpImage() = default;
  TmpImage(std::shared_ptr<ImageKeeper> keeper, int id, std::uint64_t bytes, Descriptor mount)
      : keeper_(std::move(keeper)), id_(id), bytes_(bytes), mount_(std::move(mount)) {}
  TmpImage(TmpImage&&) = default;
  TmpImage& operator=(TmpImage&& other) noexcept;
  ~TmpImage();

  // The mount, to be moved to its place; -1 once it was let go of.
  int mount() const { return mount_.get(); }
  void let_go() { mount_ = Descriptor(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<ImageKeeper> keeper_;
  int id_ = 0;
  std::uint64_t bytes_ = 0;
  Descriptor mount_;
};

class ImageKeeper : public std::enable_shared_from_this<ImageKeeper> {
 public:
  // Starts its process, which begins with images of `bytes`. Returns at once.
  static std::shared_ptr<ImageKeeper> start(const ImagePlace& place, std::uint64_t bytes);
  ImageKeeper(const ImageKeeper&) = delete;
  ImageKeeper& operator=(const ImageKeeper&) = delete;
  ~ImageKeeper();

  // One that is ready, else waits for one. It does not begin anew once it has seen that no image can be had at all.
  Trouble take(std::uint64_t bytes, TmpImage& taken);
  // Why none can be had; `error` 0: they can. Waits for the first one.
  Trouble trial();
  // None can be had on this machine.
  bool has_given_up() const { return given_up_.error != 0; }

 private:
  friend class TmpImage;
  struct Image {
    int id;
    Descriptor mount;
  };
  // Images of one size.
  struct Shelf {
    std::uint64_t bytes = 0;
    std::vector<Image> ready;
    int asked = 0;
    std::size_t wanted = 0;      // so many are to be ready
    bool has_been_full = false;  // since it was last empty
    Trouble trouble;             // of the last one that could not be made
  };
  explicit ImageKeeper(ImagePlace place) : place_(std::move(place)) {}
  Trouble begin();
  void stop();
  Shelf& shelf(std::uint64_t bytes);
  void ask(Shelf& shelf);
  void end(int id);
  // False: there is nothing to be received within the time, or the process is gone.
  bool receive(int patience);
  Trouble await(std::uint64_t bytes);

  const ImagePlace place_;
  pid_t pid_ = -1;
  Descriptor orders_, endings_;
  std::vector<Shelf> shelves_;  // the last one that was used first
  int last_id_ = 0;
  bool has_made_one_ = false;
  Trouble given_up_;  // for good
};

}  // namespace lambed::sandbox
