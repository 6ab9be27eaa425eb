#include "environments/sandbox/egress.h"

#include <algorithm>
#include <cerrno>

#include "environments/sandbox/addresses.h"
#include "environments/sandbox/resolvers.h"

namespace lambed::sandbox {
namespace {

constexpr int kMailPort = 25;

std::uint32_t last_four(const AddressBytes& bytes) {
  return std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 | std::uint32_t{bytes[14]} << 8 |
         bytes[15];
}

std::uint32_t number_of(const char* address) { return last_four(*parse_address(address)); }

}  // namespace

Egress::Egress(const Network& network, bool own_network, std::vector<sockaddr_storage> resolvers)
    : network_(network), own_network_(own_network), resolvers_(std::move(resolvers)) {}

bool Egress::stays_inside(const sockaddr_storage& address) const {
  if (is_loopback(address)) return true;
  const AddressBytes bytes = bytes_of(address);
  const std::string& own = network_.address;
  return bytes == parse_address(own.empty() ? kAddressInside : own) ||
         bytes == parse_address(kAddress6Inside);
}

bool Egress::translate(sockaddr_storage& address, int type) const {
  const AddressBytes bytes = bytes_of(address);
  if (!own_network_ || !is_ipv4(bytes)) return false;
  const std::uint32_t to = last_four(bytes);
  const int port = port_of(address);
  const std::uint32_t which = to - number_of(kResolverInside);
  if (port == kNamePort && which < resolvers_.size()) {
    address = resolvers_[which];
    return true;
  }
  if (!network_.host_loopback || to != number_of(kMachineInside)) return false;
  if (type == SOCK_STREAM && port == kMailPort) return false;
  auto& four = reinterpret_cast<sockaddr_in&>(address);
  address = {};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  four.sin_port = htons(static_cast<in_port_t>(port));
  return true;
}

bool Egress::is_allowed(const sockaddr_storage& address, int type) const {
  if (!network_.allowed) return true;
  const auto protocol = type == SOCK_STREAM ? EgressRule::Protocol::kTcp : EgressRule::Protocol::kUdp;
  const AddressBytes bytes = bytes_of(address);
  const int port = port_of(address);
  return std::any_of(network_.allowed->begin(), network_.allowed->end(),
                     [&](const EgressRule& rule) { return rule.allows(protocol, bytes, port); });
}

int Egress::direct(sockaddr_storage& address, int type) const {
  // Names are asked for whatever the groups say, as in a VPC.
  if (translate(address, type)) return 0;
  if (type == SOCK_STREAM && port_of(address) == kMailPort) return EPERM;
  if (is_link_local(address)) return EPERM;
  const bool of_machine = is_loopback(address) || is_own_address(address);
  // Who allows it allows it to functions in a VPC too: it is no part of their network.
  if (of_machine) return network_.host_loopback ? 0 : EPERM;
  if (is_for_many(address)) return EPERM;
  const AddressBytes bytes = bytes_of(address);
  for (const Cidr& range : network_.unreachable) {
    if (range.contains(bytes)) return EHOSTUNREACH;
  }
  return is_allowed(address, type) ? 0 : EPERM;
}

}  // namespace lambed::sandbox
