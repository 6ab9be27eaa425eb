#include "base/ids.h"

#include <pthread.h>
#include <sys/random.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <system_error>

namespace lambed {
namespace {

constexpr char kHex[] = "0123456789abcdef";

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A child process must not draw the numbers of its parent: it reseeds when this has changed.
std::atomic<unsigned> g_forks{0};

struct Xoshiro {
  std::array<std::uint64_t, 4> s{};
  unsigned forks = 0;
  bool seeded = false;

  void seed() {
    static const int kRegistered =
        pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
    static_cast<void>(kRegistered);
    std::size_t done = 0;
    while (done < sizeof s) {
      const ssize_t n = getrandom(reinterpret_cast<char*>(s.data()) + done, sizeof s - done, 0);
      if (n < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
      if (n > 0) done += static_cast<std::size_t>(n);
    }
    forks = g_forks.load(std::memory_order_relaxed);
    seeded = true;
  }

  std::uint64_t next() {
    if (!seeded || forks != g_forks.load(std::memory_order_relaxed)) seed();
    const std::uint64_t result = std::rotl(s[1] * 5, 7) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
  }
};

char* put_hex(char* out, std::uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) *out++ = kHex[(value >> (4 * i)) & 15];
  return out;
}

}  // namespace

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::string Random::uuid() {
  const std::uint64_t a = (next() & ~0xf000ull) | 0x4000ull;
  const std::uint64_t b = (next() & ~(3ull << 62)) | (2ull << 62);
  std::string text(36, '-');
  char* p = put_hex(text.data(), a >> 32, 8) + 1;
  p = put_hex(p, (a >> 16) & 0xffff, 4) + 1;
  p = put_hex(p, a & 0xffff, 4) + 1;
  p = put_hex(p, b >> 48, 4) + 1;
  put_hex(p, b & 0xffffffffffffull, 12);
  return text;
}

std::string Random::hex32() {
  std::string text(32, '0');
  put_hex(put_hex(text.data(), next(), 16), next(), 16);
  return text;
}

std::uint64_t SystemRandom::next() {
  thread_local Xoshiro generator;
  return generator.next();
}

std::uint64_t SeededRandom::next() {
  std::lock_guard lock(mutex_);
  return splitmix(state_);
}

}  // namespace lambed
