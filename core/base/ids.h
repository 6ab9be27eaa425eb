// Randomness and identifiers, injected. Nothing else in the core draws random numbers.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace lambed {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  double unit();        // [0, 1)
  std::string uuid();   // version 4, "c2a3...-....": request and revision ids
  std::string hex32();  // 32 hexadecimal digits: log stream names
};

// A xoshiro256** per thread, seeded by the kernel. Fast; not for secrets.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// The same numbers every time.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::mutex mutex_;  // guards state_
  std::uint64_t state_;
};

}  // namespace lambed
