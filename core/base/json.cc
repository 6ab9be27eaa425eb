#include "base/json.h"

#include <simdjson.h>

#include <cstring>
#include <memory>

namespace lambed {

namespace {

static_assert(kJsonPadding >= simdjson::SIMDJSON_PADDING);

// The fast parser keeps about 14 times the payload in address space per thread. Larger texts take the exact
// reading, which needs no memory and is as fast where the parser would have to allocate its memory anew.
constexpr std::size_t kFastLimit = 1 << 20;

class Checker {
 public:
  bool passes(std::string_view text, std::size_t readable) {
    if (readable < text.size() + kJsonPadding) text = padded_copy(text);
    if (parser_.capacity() < text.size()) {
      // Powers of two: a slowly growing series of payloads does not allocate each time.
      std::size_t capacity = 4096;
      while (capacity < text.size()) capacity *= 2;
      // One level less than allowed: whatever the parser counts as a level, deeper texts go to the exact
      // reading.
      if (parser_.allocate(capacity, kJsonMaxDepth - 1) != simdjson::SUCCESS) return false;
    }
    return parser_.parse(text.data(), text.size(), false).error() == simdjson::SUCCESS;
  }

 private:
  std::string_view padded_copy(std::string_view text) {
    if (copy_capacity_ < text.size() + kJsonPadding) {
      copy_capacity_ = text.size() * 2 + kJsonPadding;
      copy_.reset(new char[copy_capacity_]());
    }
    std::memcpy(copy_.get(), text.data(), text.size());
    return {copy_.get(), text.size()};
  }

  simdjson::dom::parser parser_;
  std::unique_ptr<char[]> copy_;
  std::size_t copy_capacity_ = 0;
};

}  // namespace

std::optional<std::string> json_fault(std::string_view text, std::size_t readable) {
  thread_local Checker checker;
  if (!text.empty() && text.size() <= kFastLimit && checker.passes(text, readable)) return std::nullopt;
  // The fast parser also refuses what is valid: integers over 64 bits, floats out of range, lone surrogates.
  return diagnose_json(text);
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

}  // namespace lambed
