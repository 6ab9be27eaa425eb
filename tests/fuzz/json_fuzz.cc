// Admission of payloads: the fast check and the exact one agree, with room behind the text and without, and nothing that
// another parser of JSON takes is refused.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "fuzz/fuzz.h"

using namespace lambed;

namespace {

std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // On the heap and exactly as long as it is: a read past its end is seen.
  const std::unique_ptr<char[]> exact(new char[size + 1]);
  std::copy(data, data + size, exact.get());
  const std::string_view text(exact.get(), size);
  const auto fault = json_fault(text, size);
  FUZZ_EXPECT(fault == diagnose_json(text));
  std::string roomy(text);
  roomy.reserve(size + kJsonPadding);
  FUZZ_EXPECT(fault == json_fault(roomy));
  if (!fault) FUZZ_EXPECT(is_utf8(text));
  // That parser skips a byte order mark and stops at a NUL.
  const bool is_comparable = !text.starts_with("\xEF\xBB\xBF") && text.find('\0') == std::string_view::npos;
  if (fault && is_comparable && depth_of(text) <= kJsonMaxDepth) {
    FUZZ_EXPECT(!nlohmann::json::accept(text));
  }
  return 0;
}
