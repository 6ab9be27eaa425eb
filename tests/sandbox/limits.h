// The limits that the attacks run against: small, so that they are met soon.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lambed::testing {

inline constexpr std::uint64_t kMemory = 96ULL << 20;
inline constexpr std::size_t kBomb = 192 << 20;
inline constexpr std::size_t kTmp = 16 << 20;
inline constexpr int kProcesses = 64;
inline constexpr int kDescriptors = 256;

}  // namespace lambed::testing
