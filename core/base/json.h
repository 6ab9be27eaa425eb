// Is this JSON? For payloads on their way to a handler. Functions; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lambed {

// A text that is followed by this many readable bytes (whatever they hold) is checked where it lies; another
// is copied once. std::string::reserve(size + kJsonPadding) makes room for them.
inline constexpr std::size_t kJsonPadding = 64;

// Deeper nesting is refused, as by the parser that AWS uses: handlers' parsers recurse.
inline constexpr std::size_t kJsonMaxDepth = 1000;

// Nothing when `text` is exactly one JSON value (RFC 8259) in valid UTF-8, white space around it allowed;
// otherwise what is wrong with it, in the words of the parser that AWS uses (Jackson 2.16), e.g.
//   Unexpected character ('x' (code 120)): was expecting double-quote to start field name
//    at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]
// `readable`: how many bytes from text.data() on may be read; less than text.size() counts as text.size().
// About 130 ns for 100 bytes, 1 GB/s for large ones.
std::optional<std::string> json_fault(std::string_view text, std::size_t readable = 0);

inline std::optional<std::string> json_fault(const std::string& text) {
  return json_fault(std::string_view(text), text.capacity() + 1);
}
inline std::optional<std::string> json_fault(const char* text) { return json_fault(std::string_view(text)); }

// Valid UTF-8, no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

// The slow, exact reading behind json_fault: the same answer, found byte by byte and without a copy. Exposed
// for its tests.
std::optional<std::string> diagnose_json(std::string_view text);

}  // namespace lambed
