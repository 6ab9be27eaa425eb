// Strings across the border to V8: one copy each way.
#ifndef LAMBED_HOSTS_NODE_TEXT_H
#define LAMBED_HOSTS_NODE_TEXT_H

#include <string>
#include <string_view>
#include <vector>

#include "node_headers.h"

namespace lambed::node_host {

// UTF-8 to a JavaScript string; ASCII, the common case, without decoding. Empty when V8 refuses (over 512
// MiB).
v8::MaybeLocal<v8::String> to_js(v8::Isolate* isolate, std::string_view text);
// For short strings of ours, which cannot fail.
v8::Local<v8::String> to_js_short(v8::Isolate* isolate, std::string_view text);

// A buffer that is reused from call to call, so that a result costs one copy and no allocation.
class TextBuffer {
 public:
  // The text in UTF-8; lone surrogates become U+FFFD. Valid until the next call.
  std::string_view read(v8::Isolate* isolate, v8::Local<v8::String> text);

 private:
  void shrink_after_large();
  std::vector<char> bytes_;
};

std::string to_string(v8::Isolate* isolate, v8::Local<v8::Value> value);

}  // namespace lambed::node_host
#endif
