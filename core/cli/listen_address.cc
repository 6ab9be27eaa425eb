#include "cli/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "cli/exit_codes.h"

namespace lambed::cli {
namespace {

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace

ListenAddress loopback_address(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const bool is_number =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number || std::stoi(port) > 65'535) {
    throw CommandError(
        fmt::format("--listen {}: write it as ADDRESS:PORT, for example 127.0.0.1:9001", text));
  }
  if (!is_loopback(host)) {
    throw CommandError(fmt::format(
        "--listen {}: only this machine's own addresses (127.0.0.1, [::1]) for now. Signatures are not "
        "verified yet, so "
        "whoever reaches the port could upload code; use an SSH tunnel or a proxy that checks who calls",
        text));
  }
  return {host, static_cast<std::uint16_t>(std::stoi(port))};
}

}  // namespace lambed::cli
