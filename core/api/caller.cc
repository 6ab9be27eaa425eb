#include "api/caller.h"

#include <algorithm>
#include <array>

namespace lambed::api {
namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// [a-z]{2}(-[a-z]+)+-\d
bool is_region(std::string_view text) {
  if (text.size() < 6 || text.size() > 32 || !is_digits(text.substr(text.size() - 1))) return false;
  return text.find("--") == std::string_view::npos && text[text.size() - 2] == '-' &&
         std::all_of(text.begin(), text.end() - 1, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

// "AKID/20250101/us-east-1/lambda/aws4_request"
std::optional<Caller> from_credential(std::string_view credential, const CallerDefaults& defaults) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto slash = credential.find('/');
    parts[i] = credential.substr(0, slash);
    const bool is_last = i + 1 == parts.size();
    if (is_last != (slash == std::string_view::npos)) return std::nullopt;
    credential.remove_prefix(is_last ? credential.size() : slash + 1);
  }
  if (parts[4] != "aws4_request" || parts[0].empty() || parts[0].size() > 128) return std::nullopt;
  if (!is_region(parts[2])) return std::nullopt;
  Caller caller;
  caller.access_key = parts[0];
  caller.account = parts[0].size() == 12 && is_digits(parts[0]) ? std::string(parts[0]) : defaults.account;
  caller.region = parts[2];
  caller.service = parts[3];
  caller.is_signed = true;
  return caller;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "localhost:9001" -> "localhost"; "[::1]:9001" -> "[::1]"
std::string_view without_port(std::string_view authority) {
  if (authority.starts_with("[")) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_this_machine(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  if (!host.starts_with("127.")) return false;
  return std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace

std::optional<Caller> caller_of(const http::Request& request, const CallerDefaults& defaults) {
  std::string credential;
  if (const std::string* authorization = request.find("Authorization");
      authorization != nullptr && authorization->starts_with("AWS4-")) {
    const auto at = authorization->find("Credential=");
    if (at == std::string::npos) return std::nullopt;
    credential = authorization->substr(at + 11);
    credential.resize(std::min(credential.find(','), credential.size()));
    while (!credential.empty() && credential.back() == ' ') credential.pop_back();
    return from_credential(credential, defaults);
  }
  if (const auto query = request.query(); query.find("X-Amz-Credential=") != std::string_view::npos) {
    const auto parameters = http::parse_query(query);
    if (!parameters) return std::nullopt;
    for (const auto& [name, value] : *parameters) {
      if (name == "X-Amz-Credential") return from_credential(value, defaults);
    }
  }
  Caller caller;
  caller.account = defaults.account;
  caller.region = defaults.region;
  return caller;
}

std::optional<std::string> foreign(const http::Request& request, const std::vector<std::string>& hosts) {
  if (request.count("Host") != 1) return "A request needs exactly one Host header.";
  const std::string authority = lower(request.header("Host"));
  const std::string host(without_port(authority));
  if (!is_this_machine(host) && std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
    return "The Host header names another machine. lambed serve answers to localhost; --allow-host adds a "
           "name.";
  }
  const std::string_view site = request.header("Sec-Fetch-Site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    return "A web page of another site has sent this request.";
  }
  if (const std::string* origin = request.find("Origin"); origin != nullptr) {
    if (lower(*origin) != "http://" + authority) return "A web page of another origin has sent this request.";
  }
  return std::nullopt;
}

}  // namespace lambed::api
