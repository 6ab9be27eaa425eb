#include "text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lambed::node_host {
namespace {

// More than this is given back after use.
constexpr size_t kKeptBytes = size_t{1} << 20;
constexpr uint64_t kHighBits = 0x8080808080808080;

size_t count_high_bytes(const char* data, size_t size) {
  size_t count = 0;
  size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    uint64_t word;
    std::memcpy(&word, data + at, 8);
    if (const uint64_t high = word & kHighBits; high != 0)
      count += static_cast<size_t>(__builtin_popcountll(high));
  }
  for (; at < size; ++at) count += static_cast<unsigned char>(data[at]) >> 7;
  return count;
}

bool is_ascii(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & kHighBits) != 0) return false;
  }
  for (; at < text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) return false;
  }
  return true;
}

// Latin-1 in the first `size` bytes of `data`, which has room for `size + high`, becomes UTF-8: from the end,
// in place.
void widen_latin1(char* data, size_t size, size_t high) {
  size_t to = size + high;
  for (size_t from = size; from > 0 && to > from;) {
    const auto byte = static_cast<unsigned char>(data[--from]);
    if (byte < 0x80) {
      data[--to] = static_cast<char>(byte);
    } else {
      data[--to] = static_cast<char>(0x80 | (byte & 0x3f));
      data[--to] = static_cast<char>(0xc0 | (byte >> 6));
    }
  }
}

}  // namespace

v8::MaybeLocal<v8::String> to_js(v8::Isolate* isolate, std::string_view text) {
  if (text.size() > static_cast<size_t>(v8::String::kMaxLength)) return {};
  const int size = static_cast<int>(text.size());
  if (is_ascii(text)) {
    return v8::String::NewFromOneByte(isolate, reinterpret_cast<const uint8_t*>(text.data()),
                                      v8::NewStringType::kNormal, size);
  }
  return v8::String::NewFromUtf8(isolate, text.data(), v8::NewStringType::kNormal, size);
}

v8::Local<v8::String> to_js_short(v8::Isolate* isolate, std::string_view text) {
  return to_js(isolate, text).ToLocalChecked();
}

void TextBuffer::shrink_after_large() {
  if (bytes_.size() > kKeptBytes) std::vector<char>().swap(bytes_);
}

std::string_view TextBuffer::read(v8::Isolate* isolate, v8::Local<v8::String> text) {
  const auto length = static_cast<size_t>(text->Length());
  if (length < kKeptBytes) shrink_after_large();
  if (text->IsOneByte()) {
    if (bytes_.size() < length) bytes_.resize(std::max<size_t>(length, 4096));
    text->WriteOneByte(isolate, reinterpret_cast<uint8_t*>(bytes_.data()), 0, static_cast<int>(length),
                       v8::String::NO_NULL_TERMINATION);
    const size_t high = count_high_bytes(bytes_.data(), length);
    if (high == 0) return {bytes_.data(), length};
    if (bytes_.size() < length + high) bytes_.resize(length + high);
    widen_latin1(bytes_.data(), length, high);
    return {bytes_.data(), length + high};
  }
  const auto size = static_cast<size_t>(text->Utf8Length(isolate));
  if (bytes_.size() < size) bytes_.resize(std::max<size_t>(size, 4096));
  const int written = text->WriteUtf8(isolate, bytes_.data(), static_cast<int>(bytes_.size()), nullptr,
                                      v8::String::NO_NULL_TERMINATION | v8::String::REPLACE_INVALID_UTF8);
  return {bytes_.data(), static_cast<size_t>(written)};
}

std::string to_string(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  if (value.IsEmpty()) return {};
  const v8::String::Utf8Value text(isolate, value);
  return *text == nullptr ? std::string() : std::string(*text, static_cast<size_t>(text.length()));
}

}  // namespace lambed::node_host
