// An exact reader of JSON that says what is wrong in the words of Jackson, the parser behind AWS's answers.
// Only texts that the fast parser refused come here.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "base/json.h"

namespace lambed {

namespace {

constexpr char kValueList[] = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
constexpr std::size_t kMaxTokenShown = 256;

struct Location {
  std::size_t line = 1;
  std::size_t column = 0;
  std::string text() const {
    return fmt::format(
        "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]",
        line, column);
  }
};

struct Fault {
  std::string message;
};

struct Nesting {
  bool object;
  Location start;
  const char* kind() const { return object ? "Object" : "Array"; }
  char closer() const { return object ? '}' : ']'; }
};

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 63)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | c >> 12));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 63)));
    out.push_back(static_cast<char>(0x80 | (c & 63)));
  } else {
    out.push_back(static_cast<char>(0xF0 | c >> 18));
    out.push_back(static_cast<char>(0x80 | (c >> 12 & 63)));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 63)));
    out.push_back(static_cast<char>(0x80 | (c & 63)));
  }
}

std::string describe(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return fmt::format("(CTRL-CHAR, code {})", c);
  std::string shown;
  append_utf8(shown, c);
  return c > 255 ? fmt::format("'{}' (code {} / 0x{:x})", shown, c, c)
                 : fmt::format("'{}' (code {})", shown, c);
}

bool is_digit(std::uint32_t c) { return c >= '0' && c <= '9'; }

// Character.isJavaIdentifierStart, exact for Latin-1; what lies above is taken for letters.
bool starts_identifier(std::uint32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '$' || c == '_') return true;
  if (c < 0xA2) return false;
  if (c <= 0xFF)
    return c <= 0xA5 || c == 0xAA || c == 0xB5 || c == 0xBA || (c >= 0xC0 && c != 0xD7 && c != 0xF7);
  return true;
}

// Character.isJavaIdentifierPart: digits and ignorable control characters too.
bool continues_identifier(std::uint32_t c) {
  return starts_identifier(c) || is_digit(c) || c <= 8 || (c >= 0x0E && c <= 0x1B) ||
         (c >= 0x7F && c <= 0x9F) || c == 0xAD;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // Throws Fault.
  void read() {
    int c = next_token();
    if (c < 0) fail("No content to map due to end-of-input", Location{1, 0});
    for (;;) {
      if (!opens_container(c)) {
        read_scalar(c);
      } else {
        open(c == '{');
        c = next_token_in_container();
        if (c != nesting_.back().closer()) {
          if (nesting_.back().object) c = read_name(c);
          continue;
        }
        nesting_.pop_back();
      }
      if (!next_value(c)) return;
    }
  }

 private:
  static bool opens_container(int c) { return c == '{' || c == '['; }

  // After a value: closes what ends here and gives the first byte of the next value; false at the end of the
  // text.
  bool next_value(int& c) {
    for (;;) {
      if (nesting_.empty()) {
        expect_end();
        return false;
      }
      const Nesting& inner = nesting_.back();
      c = next_token_in_container();
      if (c == inner.closer()) {
        nesting_.pop_back();
        continue;
      }
      if (c == ']' || c == '}') mismatched(c);
      if (c != ',') {
        unexpected(static_cast<std::uint32_t>(c),
                   fmt::format("was expecting comma to separate {} entries", inner.kind()));
      }
      c = next_token_between();
      if (inner.object) c = read_name(c);
      return true;
    }
  }

  void open(bool object) {
    nesting_.push_back({object, {line_, position_ - row_start_}});
    if (nesting_.size() > kJsonMaxDepth) {
      fail(
          fmt::format("Document nesting depth ({}) exceeds the maximum allowed ({}, from "
                      "`StreamReadConstraints.getMaxNestingDepth()`)",
                      nesting_.size(), kJsonMaxDepth));
    }
  }

  void expect_end() {
    const int c = next_token();
    if (c < 0) return;
    const char* token = c == '{'   ? "START_OBJECT"
                        : c == '[' ? "START_ARRAY"
                        : c == '"' ? "VALUE_STRING"
                                   : nullptr;
    if (token == nullptr) {
      read_scalar(c);  // names what is wrong, if anything is
      token = c == 't'   ? "VALUE_TRUE"
              : c == 'f' ? "VALUE_FALSE"
              : c == 'n' ? "VALUE_NULL"
                         : "VALUE_NUMBER_INT";
    }
    fail(fmt::format(
        "Trailing token (of type {}) found after value (bound as `com.fasterxml.jackson.databind.JsonNode`): "
        "not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`",
        token));
  }

  // ---- Bytes and white space. Positions count as Jackson's do: past the byte that was read last.

  int peek() const { return position_ < text_.size() ? static_cast<unsigned char>(text_[position_]) : -1; }
  int take() {
    const int c = peek();
    if (c >= 0) ++position_;
    return c;
  }

  // The next byte that is not white space; -1 at the end.
  int next_token() {
    for (;;) {
      const int c = take();
      if (c > ' ' || c < 0) {
        if (c == '/') {
          unexpected(
              '/',
              "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not "
              "enabled for parser)");
        }
        return c;
      }
      if (c == '\r' && peek() == '\n') take();
      if (c == '\n' || c == '\r') {
        ++line_;
        row_start_ = position_;
      } else if (c != ' ' && c != '\t') {
        fail(fmt::format(
            "Illegal character ({}): only regular white space (\\r, \\n, \\t) is allowed between tokens",
            describe(static_cast<std::uint32_t>(c))));
      }
    }
  }

  int next_token_in_container() {
    const int c = next_token();
    if (c < 0) {
      fail(fmt::format("Unexpected end-of-input: expected close marker for {} (start marker at {})",
                       nesting_.back().kind(), nesting_.back().start.text()));
    }
    return c;
  }

  int next_token_between() {
    const int c = next_token();
    if (c < 0) fail(fmt::format("Unexpected end-of-input within/between {} entries", nesting_.back().kind()));
    return c;
  }

  // ---- Members and values

  // `c` is the byte where the name must start; gives the first byte of the value.
  int read_name(int c) {
    if (c != '"') unexpected(decode(c), "was expecting double-quote to start field name");
    read_string("name", "in field name");
    c = next_token_between();
    if (c != ':')
      unexpected(static_cast<std::uint32_t>(c), "was expecting a colon to separate field name and value");
    return next_token_between();
  }

  void read_scalar(int c) {
    switch (c) {
      case '"':
        return read_string("string value", "in VALUE_STRING");
      case 't':
        return read_literal("true");
      case 'f':
        return read_literal("false");
      case 'n':
        return read_literal("null");
      case '}':
      case ']':
        return misplaced_closer(c);
      case ',':
        return unexpected(',', "expected a value");
      case '+':
        return unexpected_in_number('+',
                                    "JSON spec does not allow numbers to have plus signs: enable "
                                    "`JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow");
      default:
        break;
    }
    const auto byte = static_cast<std::uint32_t>(c);
    if (c == '-' || is_digit(byte)) return read_number(c);
    if (c == 'N') read_nonstandard("NaN");
    if (c == 'I') read_nonstandard("Infinity");
    // Jackson looks at the single byte here, as if it were Latin-1.
    if (starts_identifier(byte)) {
      std::string token;
      append_utf8(token, byte);
      unrecognized(std::move(token));
    }
    unexpected(byte, std::string("expected a valid value ") + kValueList);
  }

  void misplaced_closer(int c) {
    if (nesting_.empty()) {
      fail(fmt::format("Unexpected close marker '{}': expected '{}' (for root starting at {})",
                       static_cast<char>(c), c == ']' ? '}' : ']', Location{1, 0}.text()));
    }
    if (c == nesting_.back().closer()) unexpected(static_cast<std::uint32_t>(c), "expected a value");
    mismatched(c);
  }

  void mismatched(int c) {
    const Nesting& inner = nesting_.back();
    fail(fmt::format("Unexpected close marker '{}': expected '{}' (for {} starting at {})",
                     static_cast<char>(c), inner.closer(), inner.kind(), inner.start.text()));
  }

  void read_literal(std::string_view literal) {
    std::size_t matched = 1;
    while (matched < literal.size() && peek() == static_cast<unsigned char>(literal[matched])) {
      take();
      ++matched;
    }
    const int after = peek();
    if (matched < literal.size() || (after >= 0 && continues_identifier_at(after))) {
      unrecognized(std::string(literal.substr(0, matched)));
    }
  }

  void read_nonstandard(std::string_view token) {
    read_literal(token);
    fail(fmt::format("Non-standard token '{}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow",
                     token));
  }

  void read_number(int c) {
    const bool at_root = nesting_.empty();
    if (c == '-') {
      c = take();
      if (c < 0) fail("Unexpected end-of-input in a Number value");
      if (!is_digit(static_cast<std::uint32_t>(c))) {
        unexpected_in_number(static_cast<std::uint32_t>(c),
                             "expected digit (0-9) to follow minus sign, for valid numeric value");
      }
    }
    if (c == '0' && is_digit_next()) fail("Invalid numeric value: Leading zeroes not allowed");
    while (is_digit_next()) take();
    if (peek() == '.') {
      take();
      expect_digit("Decimal point not followed by a digit");
    }
    if (peek() == 'e' || peek() == 'E') {
      take();
      if (peek() == '+' || peek() == '-') take();
      expect_digit("Exponent indicator not followed by a digit");
    }
    const int after = peek();
    if (at_root && after >= 0 && after != ' ' && after != '\t' && after != '\r' && after != '\n') {
      take();
      unexpected(static_cast<std::uint32_t>(after), "Expected space separating root-level values");
    }
  }

  bool is_digit_next() const { return peek() >= '0' && peek() <= '9'; }

  void expect_digit(const char* complaint) {
    if (!is_digit_next()) {
      const int c = take();
      if (c < 0) fail("Unexpected end-of-input in a Number value");
      unexpected_in_number(static_cast<std::uint32_t>(c), complaint);
    }
    while (is_digit_next()) take();
  }

  void read_string(const char* what, const char* where) {
    for (int taken = 1;; ++taken) {
      // Most strings are short; looking further ahead pays in long ones.
      if (taken % 32 == 0) skip_plain();
      const int c = take();
      if (c < 0) fail(fmt::format("Unexpected end-of-input {}", where));
      if (c == '"') return;
      if (c == '\\') {
        read_escape();
      } else if (c < 0x20) {
        fail(fmt::format(
            "Illegal unquoted character ({}): has to be escaped using backslash to be included in {}",
            describe(static_cast<std::uint32_t>(c)), what));
      } else if (c >= 0x80) {
        decode(c);
      }
    }
  }

  // Passes over printable ASCII but quotes and backslashes, eight bytes at a time.
  void skip_plain() {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = 0x8080808080808080;
    const auto has_zero = [](std::uint64_t word) { return (word - ones) & ~word; };
    while (position_ + 8 <= text_.size()) {
      std::uint64_t word;
      std::memcpy(&word, text_.data() + position_, 8);
      const std::uint64_t special =
          has_zero(word ^ ones * '"') | has_zero(word ^ ones * '\\') | (word - ones * 0x20) | word;
      if ((special & tops) != 0) return;
      position_ += 8;
    }
  }

  void read_escape() {
    const int c = take();
    if (c < 0) fail("Unexpected end-of-input in character escape sequence");
    if (c == 'u') {
      for (int i = 0; i < 4; ++i) {
        const int digit = take();
        if (digit < 0) fail("Unexpected end-of-input in character escape sequence");
        const bool hex = is_digit(static_cast<std::uint32_t>(digit)) || (digit >= 'a' && digit <= 'f') ||
                         (digit >= 'A' && digit <= 'F');
        if (!hex) {
          unexpected(static_cast<std::uint32_t>(digit), "expected a hex-digit for character escape sequence");
        }
      }
    } else if (std::string_view("\"\\/bfnrt").find(static_cast<char>(c)) == std::string_view::npos) {
      fail("Unrecognized character escape " + describe(decode(c)));
    }
  }

  // ---- UTF-8, strict: Jackson lets overlong forms and surrogates through, handlers' parsers do not.

  // `c` was just taken; takes the rest of its character.
  std::uint32_t decode(int c) {
    if (c < 0x80) return static_cast<std::uint32_t>(c);
    int rest;
    int lowest = 0x80, highest = 0xBF;  // of the second byte
    if (c >= 0xC2 && c <= 0xDF) {
      rest = 1;
    } else if (c >= 0xE0 && c <= 0xEF) {
      rest = 2;
      if (c == 0xE0) lowest = 0xA0;
      if (c == 0xED) highest = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
      rest = 3;
      if (c == 0xF0) lowest = 0x90;
      if (c == 0xF4) highest = 0x8F;
    } else {
      fail(fmt::format("Invalid UTF-8 start byte 0x{:x}", c));
    }
    std::uint32_t decoded = static_cast<std::uint32_t>(c) & (0x3Fu >> rest);
    for (; rest > 0; --rest) {
      const int d = take();
      if (d < 0) fail("Unexpected end-of-input in VALUE_STRING");
      if (d < lowest || d > highest) fail(fmt::format("Invalid UTF-8 middle byte 0x{:x}", d));
      decoded = decoded << 6 | static_cast<std::uint32_t>(d & 0x3F);
      lowest = 0x80;
      highest = 0xBF;
    }
    return decoded;
  }

  bool continues_identifier_at(int byte) const {
    // Bytes of longer characters count as letters: Jackson decodes them, and nearly all it meets there are.
    return byte >= 0x80 || continues_identifier(static_cast<std::uint32_t>(byte));
  }

  // ---- Complaints

  [[noreturn]] void unrecognized(std::string token) {
    for (int c = take(); c >= 0; c = take()) {
      const std::uint32_t decoded = decode(c);
      if (!continues_identifier(decoded)) break;
      append_utf8(token, decoded);
      if (token.size() >= kMaxTokenShown) {
        token += "...";
        break;
      }
    }
    fail(fmt::format("Unrecognized token '{}': was expecting {}", token, kValueList));
  }

  [[noreturn]] void unexpected(std::uint32_t c, const std::string& comment) {
    fail(fmt::format("Unexpected character ({}): {}", describe(c), comment));
  }

  [[noreturn]] void unexpected_in_number(std::uint32_t c, const char* comment) {
    fail(fmt::format("Unexpected character ({}) in numeric value: {}", describe(c), comment));
  }

  [[noreturn]] void fail(const std::string& message) { fail(message, {line_, position_ - row_start_ + 1}); }
  [[noreturn]] void fail(const std::string& message, Location location) {
    throw Fault{message + "\n at " + location.text()};
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t row_start_ = 0;
  std::size_t line_ = 1;
  std::vector<Nesting> nesting_;
};

}  // namespace

std::optional<std::string> diagnose_json(std::string_view text) {
  try {
    Reader(text).read();
    return std::nullopt;
  } catch (const Fault& fault) {
    return fault.message;
  }
}

}  // namespace lambed
