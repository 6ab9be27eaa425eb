// Names and ARNs of functions: whatever is accepted has the shape that the rest of lambed relies on, and means the same when it
// is written out and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "model/reference.h"

using namespace lambed::model;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t line = all.find('\n');
  const std::string_view text = all.substr(0, line);
  const std::string_view qualifier =
      line == std::string_view::npos ? std::string_view() : all.substr(line + 1);
  const Scope scope;
  for (const NameUse use : {NameUse::kRead, NameUse::kDelete, NameUse::kCreate}) {
    const auto reference = parse_function_reference(text, qualifier, scope, use);
    if (!reference.ok()) {
      FUZZ_EXPECT(!reference.error().message().empty());
      continue;
    }
    FUZZ_EXPECT(!reference->name.empty() && reference->name.size() <= 170);
    FUZZ_EXPECT(use != NameUse::kCreate || reference->name.size() <= 64);
    FUZZ_EXPECT(reference->qualifier.size() <= 170);
    FUZZ_EXPECT(reference->account == scope.account && reference->region == scope.region);
    for (const char c : reference->name) FUZZ_EXPECT(c != '/' && c != '\0' && c != ':');
    // A dollar sign may stand in a separate qualifier only.
    if (reference->qualifier.find('$', 1) != std::string::npos) continue;
    if (reference->qualifier.starts_with('$') && !is_latest(reference->qualifier)) continue;
    const auto again = parse_function_reference(reference->qualified_arn(), {}, scope, use);
    if (!again.ok()) {
      FUZZ_EXPECT(reference->qualified_arn().size() > 140);
      continue;
    }
    FUZZ_EXPECT(again->name == reference->name && again->qualifier == reference->qualifier);
  }
  return 0;
}
