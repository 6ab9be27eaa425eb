// A file descriptor with one owner, which closes it. A value that moves; one thread at a time.
#pragma once

#include <unistd.h>

#include <utility>

namespace lambed {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  // The caller owns it from now on.
  int release() { return std::exchange(number_, -1); }
  void reset() { static_cast<void>(close()); }
  // Closes now; false when the file system reports only now that something was not written.
  bool close() {
    const int number = release();
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_ = -1;
};

}  // namespace lambed
