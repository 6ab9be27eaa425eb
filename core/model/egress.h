// What a security group lets out: ranges of internet addresses, and rules as in EC2's IpPermissionsEgress. Values, no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lambed {

// 16 bytes of IPv6; IPv4 as ::ffff:a.b.c.d.
using AddressBytes = std::array<std::uint8_t, 16>;
std::optional<AddressBytes> parse_address(std::string_view text);
bool is_ipv4(const AddressBytes& address);
std::string text_of(const AddressBytes& address);

// "10.0.0.0/16", "fd00::/8". Bits below the prefix are zero.
struct Cidr {
  AddressBytes base{};
  int prefix = 0;  // of 128: 96 more than is written with an IPv4 address

  // Nothing unless it is an address, a slash and a prefix that fits; EC2 refuses bits below the prefix, and so do we.
  static std::optional<Cidr> parse(std::string_view text);
  // IPv4 is no part of any range of IPv6, as ::/0.
  bool contains(const AddressBytes& address) const;
  std::string text() const;
};

struct EgressRule {
  enum class Protocol { kAll, kTcp, kUdp };
  Protocol protocol = Protocol::kAll;
  int from_port = 0;  // both inclusive
  int to_port = 65535;
  Cidr to;

  // "tcp 400 443": all but the range. Nothing when it is not such a text.
  std::string text() const;
  static std::optional<EgressRule> parse(std::string_view text, const Cidr& to);

  bool allows(Protocol wanted, const AddressBytes& address, int port) const {
    return (protocol == Protocol::kAll || protocol == wanted) && port >= from_port && port <= to_port &&
           to.contains(address);
  }
};

}  // namespace lambed
