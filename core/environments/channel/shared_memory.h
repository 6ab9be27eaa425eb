// The memory of a channel: a memfd of fixed size, and its mapping.
//
// Threads: made by one thread, then read-only as an object; what lies in the memory has rules of its own (layout.h).
#pragma once

#include <cstddef>
#include <memory>

#include "base/descriptor.h"
#include "base/result.h"
#include "environments/channel/layout.h"

namespace lambed::channel {

class SharedMemory {
 public:
  // Makes a file of that size that nobody can shrink or grow, and maps it.
  static Result<SharedMemory> create(const Sizes& sizes);
  // Maps what create() made in another process, and lets go of the file. Refuses a file that is none, or whose seals are missing.
  static Result<SharedMemory> open(Descriptor file);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory();

  // Of create(): for the other process.
  int file() const { return file_.get(); }
  const Sizes& sizes() const { return sizes_; }

  Page& page() const { return *reinterpret_cast<Page*>(base_); }
  std::byte* log() const { return base_ + kPageBytes; }
  char* order() const { return reinterpret_cast<char*>(base_ + sizes_.order_offset()); }
  char* answer() const { return reinterpret_cast<char*>(base_ + sizes_.answer_offset()); }

  // Gives the pages of both areas back to the system; they read as zeros then. For an environment that idles.
  void give_back_areas() const;

 private:
  SharedMemory(Descriptor file, std::byte* base, const Sizes& sizes)
      : file_(std::move(file)), base_(base), sizes_(sizes) {}

  Descriptor file_;
  std::byte* base_ = nullptr;
  Sizes sizes_;
};

}  // namespace lambed::channel
