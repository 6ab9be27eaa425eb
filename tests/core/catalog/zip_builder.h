// Zips written byte by byte, honest ones and others.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lambed::test {

struct ZipEntry {
  std::string name;
  std::string content = {};
  std::uint32_t mode = 0100644;                // Unix mode; 0: the entry comes from a system without modes
  std::optional<std::uint32_t> declared = {};  // uncompressed size as the headers say
  std::optional<std::uint32_t> crc = {};
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  // stored
};

inline std::string zip_of(const std::vector<ZipEntry>& entries) {
  std::string bytes, directory;
  const auto put16 = [](std::string& out, std::uint32_t v) {
    out += {static_cast<char>(v & 255), static_cast<char>(v >> 8 & 255)};
  };
  const auto put32 = [&](std::string& out, std::uint32_t v) { put16(out, v & 0xffff), put16(out, v >> 16); };
  for (const ZipEntry& entry : entries) {
    boost::crc_32_type sum;
    sum.process_bytes(entry.content.data(), entry.content.size());
    const auto crc = entry.crc.value_or(sum.checksum());
    const auto size = static_cast<std::uint32_t>(entry.content.size());
    const auto declared = entry.declared.value_or(size);
    const auto offset = static_cast<std::uint32_t>(bytes.size());
    const auto common = [&](std::string& out) {
      put16(out, 20), put16(out, entry.flags), put16(out, entry.method),
          put32(out, 0x5a210000);  // a date in 2025
      put32(out, crc), put32(out, size), put32(out, declared);
      put16(out, static_cast<std::uint32_t>(entry.name.size())), put16(out, 0);
    };
    put32(bytes, 0x04034b50);
    common(bytes);
    bytes += entry.name + entry.content;
    put32(directory, 0x02014b50);
    put16(directory, entry.mode == 0 ? 20 : (3 << 8 | 20));
    common(directory);
    put16(directory, 0), put16(directory, 0), put16(directory, 0);
    put32(directory, entry.mode << 16), put32(directory, offset);
    directory += entry.name;
  }
  const auto start = static_cast<std::uint32_t>(bytes.size());
  const auto count = static_cast<std::uint32_t>(entries.size());
  bytes += directory;
  put32(bytes, 0x06054b50);
  put16(bytes, 0), put16(bytes, 0), put16(bytes, count), put16(bytes, count);
  put32(bytes, static_cast<std::uint32_t>(directory.size())), put32(bytes, start), put16(bytes, 0);
  return bytes;
}

// A good package with one handler.
inline std::string good_zip(const std::string& text = "def handler(e, c): return e\n") {
  return zip_of({{"app.py", text}});
}

}  // namespace lambed::test
