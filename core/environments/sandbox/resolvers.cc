#include "environments/sandbox/resolvers.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

namespace lambed::sandbox {
namespace {

constexpr std::size_t kMostServers = 3;  // MAXNS
constexpr in_port_t kPort = 53;
constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kKeyword = "nameserver";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// What stands behind the keyword; empty when the line is another one.
std::string_view server_in(std::string_view line) {
  if (!line.starts_with(kKeyword)) return {};
  line.remove_prefix(kKeyword.size());
  const std::size_t first = line.find_first_not_of(kBlanks);
  if (first == 0 || first == std::string_view::npos) return {};
  line.remove_prefix(first);
  return line.substr(0, line.find_first_of(kBlanks));
}

bool parse(std::string_view text, sockaddr_storage& address) {
  auto& four = reinterpret_cast<sockaddr_in&>(address);
  auto& six = reinterpret_cast<sockaddr_in6&>(address);
  const std::size_t percent = text.find('%');
  const std::string number(text.substr(0, percent));
  if (::inet_pton(AF_INET, number.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(kPort);
    return true;
  }
  if (::inet_pton(AF_INET6, number.c_str(), &six.sin6_addr) != 1) return false;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(kPort);
  if (percent != std::string_view::npos)
    six.sin6_scope_id = ::if_nametoindex(std::string(text.substr(percent + 1)).c_str());
  return true;
}

}  // namespace

std::vector<sockaddr_storage> name_servers(std::string_view resolv_conf) {
  std::vector<sockaddr_storage> servers;
  for (const std::string_view line : lines_of(resolv_conf)) {
    sockaddr_storage address{};
    if (servers.size() < kMostServers && parse(server_in(line), address)) servers.push_back(address);
  }
  if (servers.empty()) {
    sockaddr_storage address{};
    parse("127.0.0.1", address);
    servers.push_back(address);
  }
  return servers;
}

std::string resolv_conf_inside(std::string_view resolv_conf, std::size_t servers, bool by_tcp) {
  std::string text;
  in_addr address{};
  ::inet_pton(AF_INET, kResolverInside, &address);
  for (std::size_t i = 0; i < servers; ++i) {
    const in_addr one{htonl(ntohl(address.s_addr) + static_cast<std::uint32_t>(i))};
    char name[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &one, name, sizeof name);
    text += fmt::format("nameserver {}\n", name);
  }
  for (const std::string_view line : lines_of(resolv_conf)) {
    if (!line.starts_with(kKeyword)) text += fmt::format("{}\n", line);
  }
  if (by_tcp) text += "options use-vc\n";
  return text;
}

}  // namespace lambed::sandbox
