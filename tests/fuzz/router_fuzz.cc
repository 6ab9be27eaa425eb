// From a request to an operation: whatever the target, the query and the headers are, matching ends in an operation of the model
// or in none, and nobody foreign is let in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/caller.h"
#include "api/routes.h"
#include "fuzz/fuzz.h"
#include "http/message.h"

using namespace lambed;
using namespace lambed::api;

// Lines: method, target, Host, Authorization, Origin.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string lines[5];
  for (std::string& line : lines) {
    const auto end = rest.find('\n');
    line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  http::Request request;
  request.method = lines[0];
  request.target = lines[1];
  request.headers.push_back({"Host", lines[2]});
  if (!lines[3].empty()) request.headers.push_back({"Authorization", lines[3]});
  if (!lines[4].empty()) request.headers.push_back({"Origin", lines[4]});

  if (const auto found = match(request.method, request.path(), request.query())) {
    FUZZ_EXPECT(found->operation != nullptr && found->operation->method == request.method);
    for (const auto& [name, value] : found->parameters) FUZZ_EXPECT(!name.empty() && !value.empty());
  }
  if (const auto query = http::parse_query(request.query())) {
    for (const auto& [name, value] : *query)
      FUZZ_EXPECT(value.find('\0') == std::string::npos || request.target.find('\0') != std::string::npos);
  }
  if (const auto decoded = http::percent_decoded(request.target)) {
    FUZZ_EXPECT(http::percent_decoded(http::percent_encoded(*decoded)).value_or("") == *decoded ||
                decoded->find('\0') != std::string::npos);
  }
  if (const auto caller = caller_of(request, {})) {
    FUZZ_EXPECT(caller->account.size() == 12);
    FUZZ_EXPECT(!caller->region.empty() && caller->region.size() <= 32);
    FUZZ_EXPECT(caller->region.find_first_of("/%. ") == std::string::npos);
  }
  if (!foreign(request, {})) {
    std::string host = lines[2];
    for (char& c : host) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    const std::string authority = host;
    if (!host.starts_with("[")) host.resize(std::min(host.find(':'), host.size()));
    FUZZ_EXPECT(host == "localhost" || host.ends_with(".localhost") || host.starts_with("[::1]") ||
                (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos));
    FUZZ_EXPECT(lines[4].empty() || http::same_name(lines[4], "http://" + authority));
  }
  return 0;
}
