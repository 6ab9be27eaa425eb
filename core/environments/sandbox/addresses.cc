#include "environments/sandbox/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>

#include "base/descriptor.h"

namespace lambed::sandbox {
namespace {

// In the host's byte order, of an IPv4 address or one written as IPv6; false for others.
bool as_ipv4(const sockaddr_storage& address, std::uint32_t& number) {
  if (address.ss_family == AF_INET) {
    number = ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr);
    return true;
  }
  if (address.ss_family != AF_INET6) return false;
  const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (!IN6_IS_ADDR_V4MAPPED(&six)) return false;
  std::memcpy(&number, six.s6_addr + 12, sizeof number);
  number = ntohl(number);
  return true;
}

}  // namespace

bool is_loopback(const sockaddr_storage& address) {
  std::uint32_t four = 0;
  if (as_ipv4(address, four)) return four >> 24 == 127 || four == 0;
  if (address.ss_family != AF_INET6) return false;
  const in6_addr& six = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six);
}

bool is_link_local(const sockaddr_storage& address) {
  std::uint32_t four = 0;
  if (as_ipv4(address, four)) return four >> 16 == 0xa9fe;
  if (address.ss_family != AF_INET6) return false;
  return IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool is_own_address(const sockaddr_storage& address) {
  // Connecting a UDP socket chooses a route and sends nothing; towards an address of our own, that address is the source too.
  const Descriptor probe(::socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe.is_open()) return true;
  const socklen_t size = address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return false;  // no way there
  sockaddr_storage source{};
  socklen_t got = sizeof source;
  if (::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&source), &got) != 0) return true;
  std::uint32_t from = 0, to = 0;
  if (as_ipv4(source, from) && as_ipv4(address, to)) return from == to;
  if (source.ss_family != AF_INET6 || address.ss_family != AF_INET6) return false;
  return IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6&>(source).sin6_addr,
                            &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool is_for_many(const sockaddr_storage& address) {
  std::uint32_t four = 0;
  if (as_ipv4(address, four)) return four >> 28 == 0xe || four == 0xffffffff;
  if (address.ss_family != AF_INET6) return false;
  return IN6_IS_ADDR_MULTICAST(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

AddressBytes bytes_of(const sockaddr_storage& address) {
  AddressBytes bytes{};
  if (address.ss_family == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  } else if (address.ss_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, bytes.size());
  }
  return bytes;
}

sockaddr_storage socket_address(const AddressBytes& bytes, int port) {
  sockaddr_storage address{};
  if (is_ipv4(bytes)) {
    auto& four = reinterpret_cast<sockaddr_in&>(address);
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<in_port_t>(port));
    std::memcpy(&four.sin_addr, bytes.data() + 12, 4);
  } else {
    auto& six = reinterpret_cast<sockaddr_in6&>(address);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<in_port_t>(port));
    std::memcpy(&six.sin6_addr, bytes.data(), bytes.size());
  }
  return address;
}

int port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

}  // namespace lambed::sandbox
