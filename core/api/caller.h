// Who calls, as the request says: its SigV4 scope, and whether a web page sent it. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace lambed::api {

// Signatures are not verified; the scope only keeps accounts and regions apart.
struct Caller {
  std::string account;
  std::string region;
  std::string service = "lambda";
  std::string access_key;
  bool is_signed = false;
};

struct CallerDefaults {
  std::string account = "123456789012";
  std::string region = "us-east-1";
};

// From the Authorization header or X-Amz-Credential of the query. An access key of 12 digits is an account; any other belongs
// to the default account. Without either, the defaults. nullopt: a signature that is malformed.
std::optional<Caller> caller_of(const http::Request& request, const CallerDefaults& defaults);

// Why a request is refused that a web page or a name rebound to this address may have sent; nullopt: it is welcome.
// Until signatures are verified this is what keeps any page in the user's browser from uploading code:
// - Host must name this machine (localhost, *.localhost, 127.0.0.0/8, [::1]) or be one of `hosts`;
// - Origin, where there is one, must be that very host;
// - Sec-Fetch-Site must not be cross-site or same-site.
std::optional<std::string> foreign(const http::Request& request, const std::vector<std::string>& hosts);

}  // namespace lambed::api
