// Packets over a Unix socket that keeps their borders (SOCK_SEQPACKET), with descriptors; and their content: numbers and
// texts, one after the other.
//
// Threads: values; a socket may be written by several threads and read by one.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace lambed::channel {

// A socket's send buffer holds that much on every Linux.
inline constexpr std::size_t kLongestPacket = std::size_t{128} * 1024;
inline constexpr std::size_t kMostDescriptors = 8;

struct Packet {
  std::string bytes;
  std::vector<Descriptor> descriptors;
};

enum class Sent { kYes, kWouldBlock, kFailed };

// Never blocks and never raises SIGPIPE.
Sent send_packet(int socket, std::string_view bytes, const std::vector<int>& descriptors);

enum class Received { kPacket, kWouldBlock, kEnd };

// Never blocks. kEnd: the other side is gone, or the socket is broken. Descriptors come with close-on-exec.
Received receive_packet(int socket, Packet& packet);

// Appends to a text.
class PacketWriter {
 public:
  PacketWriter& number(std::uint64_t value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
    return *this;
  }
  PacketWriter& text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a PacketWriter wrote. After the first thing that is not there, everything is empty and ok() is false.
class PacketReader {
 public:
  explicit PacketReader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (rest_.size() < sizeof value) return fail();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  // How many elements follow; each takes eight bytes at least.
  std::uint64_t count() {
    const std::uint64_t value = number();
    return value > rest_.size() / sizeof value ? fail() : value;
  }
  bool ok() const { return ok_; }

 private:
  std::uint64_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace lambed::channel
