#include "model/egress.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lambed {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void clear_below(AddressBytes& address, int prefix) {
  for (int bit = prefix; bit < 128; ++bit) {
    auto& byte = address[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte & ~(0x80 >> (bit % 8)));
  }
}

}  // namespace

bool is_ipv4(const AddressBytes& address) {
  return std::equal(kMapped.begin(), kMapped.end(), address.begin());
}

std::optional<AddressBytes> parse_address(std::string_view text) {
  const std::string terminated(text);
  AddressBytes bytes{};
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data() + kMapped.size()) == 1) {
    std::copy(kMapped.begin(), kMapped.end(), bytes.begin());
    return bytes;
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::string text_of(const AddressBytes& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_ipv4(address)) {
    ::inet_ntop(AF_INET, address.data() + kMapped.size(), text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  int prefix = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  // Written with dots, whatever the value is: ::ffff:10.0.0.0/104 is IPv4 in another dress, and no EC2 address.
  const bool four = text.substr(0, slash).find(':') == std::string_view::npos;
  if (prefix < 0 || prefix > (four ? 32 : 128) || four != is_ipv4(*address)) return std::nullopt;
  Cidr cidr{*address, four ? prefix + 96 : prefix};
  AddressBytes cleared = cidr.base;
  clear_below(cleared, cidr.prefix);
  if (cleared != cidr.base) return std::nullopt;
  return cidr;
}

bool Cidr::contains(const AddressBytes& address) const {
  if (is_ipv4(address) != (prefix >= 96 && is_ipv4(base))) return false;
  AddressBytes masked = address;
  clear_below(masked, prefix);
  return masked == base;
}

std::string EgressRule::text() const {
  const char* name = protocol == Protocol::kAll ? "all" : protocol == Protocol::kTcp ? "tcp" : "udp";
  return std::string(name) + " " + std::to_string(from_port) + " " + std::to_string(to_port);
}

std::optional<EgressRule> EgressRule::parse(std::string_view text, const Cidr& to) {
  EgressRule rule;
  rule.to = to;
  const std::string_view name = text.substr(0, text.find(' '));
  if (name == "tcp") {
    rule.protocol = Protocol::kTcp;
  } else if (name == "udp") {
    rule.protocol = Protocol::kUdp;
  } else if (name != "all") {
    return std::nullopt;
  }
  const char* end = text.data() + text.size();
  const char* at = text.data() + name.size();
  for (int* port : {&rule.from_port, &rule.to_port}) {
    if (at == end || *at != ' ') return std::nullopt;
    const auto [next, error] = std::from_chars(at + 1, end, *port);
    if (error != std::errc()) return std::nullopt;
    at = next;
  }
  return at == end ? std::optional(rule) : std::nullopt;
}

std::string Cidr::text() const {
  const bool four = prefix >= 96 && is_ipv4(base);
  return text_of(base) + "/" + std::to_string(four ? prefix - 96 : prefix);
}

}  // namespace lambed
