#include "events/item_ids.h"

namespace lambed::events {
namespace {

constexpr std::uint64_t kMask = (1ULL << 48) - 1;
// Odd, so that multiplication modulo 2^48 can be undone: neighbours do not look like neighbours.
constexpr std::uint64_t kSpread = 0x9e3779b97f4bULL;

constexpr std::uint64_t inverse_of_spread() {
  std::uint64_t x = kSpread;  // Newton's method; each step doubles the bits that are right
  for (int i = 0; i < 6; ++i) x *= 2 - kSpread * x;
  return x & kMask;
}
static_assert(((inverse_of_spread() * kSpread) & kMask) == 1);

constexpr char kDigits[] = "0123456789abcdef";

int value_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string make_item_id(std::int64_t number, Random& random) {
  std::string bytes(16, '\0');
  std::uint64_t first = (static_cast<std::uint64_t>(number) * kSpread) & kMask;
  for (int i = 5; i >= 0; --i, first >>= 8) bytes[static_cast<std::size_t>(i)] = static_cast<char>(first);
  std::uint64_t rest = random.next();
  for (std::size_t i = 8; i < 16; ++i, rest >>= 8) bytes[i] = static_cast<char>(rest);
  rest = random.next();
  bytes[6] = static_cast<char>(0x40 | (rest & 0x0f));  // version 4
  bytes[7] = static_cast<char>(rest >> 8);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3f) | 0x80);  // its variant
  return bytes;
}

std::string shown_item_id(std::string_view bytes) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0x0f];
  }
  return text;
}

std::optional<ParsedItemId> parse_item_id(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  ParsedItemId parsed;
  for (std::size_t i = 0; i < text.size();) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      ++i;
      continue;
    }
    const int high = value_of(text[i]), low = value_of(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    parsed.bytes += static_cast<char>(high * 16 + low);
    i += 2;
  }
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 6; ++i) first = (first << 8) | static_cast<unsigned char>(parsed.bytes[i]);
  parsed.number = static_cast<std::int64_t>((first * inverse_of_spread()) & kMask);
  return parsed;
}

}  // namespace lambed::events
