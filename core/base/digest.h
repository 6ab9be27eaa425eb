// SHA-256 and base64. Values; objects are not thread-safe, functions are.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lambed {

using Sha256Digest = std::array<std::uint8_t, 32>;

// A digest in the making. Throws std::runtime_error when OpenSSL offers no SHA-256 (never, with the default
// provider).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::string_view bytes);
  // Ends it; no further update is allowed.
  Sha256Digest finish();

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

Sha256Digest sha256(std::string_view bytes);

std::string to_hex(const Sha256Digest& digest);     // 64 lower-case digits
std::string to_base64(const Sha256Digest& digest);  // 44 characters, as Lambda's CodeSha256

std::string base64_encode(std::string_view bytes);
// Strict (RFC 4648 section 4): padding in place, no white space, no stray bits. nullopt: it is not base64.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace lambed
