#include "environments/sandbox/packets.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <initializer_list>

namespace lambed::sandbox {
namespace {

constexpr std::size_t kFourHeader = 20;
constexpr std::size_t kSixHeader = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kIcmpHeader = 8;
// Of the packet that an error is about: what every sender understands.
constexpr std::size_t kQuotedByFour = 8;  // and its header
constexpr std::size_t kLongestQuote = 1000;
constexpr std::uint8_t kHops = 64;

std::uint16_t two(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put(std::vector<std::uint8_t>& out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}

AddressBytes four_at(Bytes packet, std::size_t at) {
  AddressBytes address{};
  address[10] = address[11] = 0xff;
  std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(at), 4, address.begin() + 12);
  return address;
}

AddressBytes six_at(Bytes packet, std::size_t at) {
  AddressBytes address{};
  std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(at), address.size(), address.begin());
  return address;
}

// RFC 1071, over pieces of which all but the last are even.
std::uint16_t checksum(std::initializer_list<Bytes> pieces, std::uint32_t sum = 0) {
  for (const Bytes piece : pieces) {
    for (std::size_t i = 0; i + 1 < piece.size(); i += 2) {
      sum += two(piece, i);
      sum = (sum & 0xffff) + (sum >> 16);
    }
    if (piece.size() % 2 != 0) sum += std::uint32_t{piece.back()} << 8;
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// Of a message of UDP or ICMPv6 with its addresses.
std::uint16_t checksum_of(const AddressBytes& from, const AddressBytes& to, std::uint8_t protocol,
                          Bytes header, Bytes payload) {
  const bool four = is_ipv4(from);
  const std::size_t skipped = four ? 12 : 0;
  const std::size_t size = header.size() + payload.size();
  const std::uint32_t start =
      protocol + static_cast<std::uint32_t>(size >> 16) + static_cast<std::uint32_t>(size & 0xffff);
  return checksum({Bytes(from).subspan(skipped), Bytes(to).subspan(skipped), header, payload}, start);
}

void put_ip_header(std::vector<std::uint8_t>& out, const AddressBytes& from, const AddressBytes& to,
                   std::uint8_t protocol, std::size_t size_of_rest) {
  if (is_ipv4(from)) {
    out[0] = 0x45;
    put(out, 2, kFourHeader + size_of_rest);
    out[6] = 0x40;  // in one piece
    out[8] = kHops;
    out[9] = protocol;
    std::copy_n(from.begin() + 12, 4, out.begin() + 12);
    std::copy_n(to.begin() + 12, 4, out.begin() + 16);
    put(out, 10, checksum({Bytes(out).first(kFourHeader)}));
    return;
  }
  out[0] = 0x60;
  put(out, 4, size_of_rest);
  out[6] = protocol;
  out[7] = kHops;
  std::copy(from.begin(), from.end(), out.begin() + 8);
  std::copy(to.begin(), to.end(), out.begin() + 24);
}

PacketKind read_udp(Bytes rest, Datagram& datagram) {
  if (rest.size() < kUdpHeader) return PacketKind::kNothing;
  const std::size_t size = two(rest, 4);
  if (size < kUdpHeader || size > rest.size()) return PacketKind::kNothing;
  datagram.from.port = two(rest, 0);
  datagram.to.port = two(rest, 2);
  datagram.payload = rest.subspan(kUdpHeader, size - kUdpHeader);
  return PacketKind::kDatagram;
}

PacketKind read_four(Bytes packet, Datagram& datagram) {
  const std::size_t header = std::size_t{4} * (packet[0] & 0x0f);
  if (header < kFourHeader || packet.size() < header) return PacketKind::kNothing;
  const std::size_t size = two(packet, 2);
  if (size < header || size > packet.size()) return PacketKind::kNothing;
  datagram.from.address = four_at(packet, 12);
  datagram.to.address = four_at(packet, 16);
  const std::uint8_t first = packet[16];
  if (first >= 224 || packet[9] == IPPROTO_ICMP || size < header + kQuotedByFour) return PacketKind::kNothing;
  const std::size_t offset = two(packet, 6) & 0x1fff;
  const bool has_more = (packet[6] & 0x20) != 0;
  if (packet[9] != IPPROTO_UDP || has_more) return offset == 0 ? PacketKind::kOther : PacketKind::kNothing;
  if (offset != 0) return PacketKind::kNothing;
  return read_udp(packet.subspan(header, size - header), datagram);
}

PacketKind read_six(Bytes packet, Datagram& datagram) {
  const std::size_t size = two(packet, 4);
  if (packet.size() < kSixHeader + size) return PacketKind::kNothing;
  datagram.from.address = six_at(packet, 8);
  datagram.to.address = six_at(packet, 24);
  // An address of IPv4 in such a packet would pass for one that came by IPv4.
  if (is_ipv4(datagram.from.address) || is_ipv4(datagram.to.address)) return PacketKind::kNothing;
  if (packet[24] == 0xff || packet[6] == IPPROTO_ICMPV6) return PacketKind::kNothing;
  if (packet[6] != IPPROTO_UDP) return PacketKind::kOther;
  return read_udp(packet.subspan(kSixHeader, size), datagram);
}

}  // namespace

PacketKind read_packet(Bytes packet, Datagram& datagram) {
  if (packet.empty()) return PacketKind::kNothing;
  if (packet[0] >> 4 == 4 && packet.size() >= kFourHeader) return read_four(packet, datagram);
  if (packet[0] >> 4 == 6 && packet.size() >= kSixHeader) return read_six(packet, datagram);
  return PacketKind::kNothing;
}

std::vector<std::uint8_t> headers_for(const Datagram& datagram) {
  const std::size_t before = is_ipv4(datagram.from.address) ? kFourHeader : kSixHeader;
  std::vector<std::uint8_t> out(before + kUdpHeader);
  const std::size_t size = kUdpHeader + datagram.payload.size();
  put_ip_header(out, datagram.from.address, datagram.to.address, IPPROTO_UDP, size);
  put(out, before, datagram.from.port);
  put(out, before + 2, datagram.to.port);
  put(out, before + 4, size);
  const std::uint16_t sum = checksum_of(datagram.from.address, datagram.to.address, IPPROTO_UDP,
                                        Bytes(out).subspan(before), datagram.payload);
  put(out, before + 6, sum == 0 ? 0xffff : sum);  // zero would say that there is none
  return out;
}

std::vector<std::uint8_t> unreachable(Bytes packet, Unreachable why) {
  struct Codes {
    std::uint8_t four, six;
  };
  static constexpr Codes kCodes[] = {{ICMP_NET_UNREACH, ICMP6_DST_UNREACH_NOROUTE},
                                     {ICMP_HOST_UNREACH, ICMP6_DST_UNREACH_ADDR},
                                     {ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT},
                                     {ICMP_PKT_FILTERED, ICMP6_DST_UNREACH_ADMIN}};
  const Codes& codes = kCodes[static_cast<std::size_t>(why)];
  const bool four = packet[0] >> 4 == 4;
  const std::size_t before = four ? kFourHeader : kSixHeader;
  const std::size_t most = four ? std::size_t{4} * (packet[0] & 0x0f) + kQuotedByFour : kLongestQuote;
  const Bytes quote = packet.first(std::min(packet.size(), most));
  const AddressBytes sender = four ? four_at(packet, 12) : six_at(packet, 8);
  const AddressBytes receiver = four ? four_at(packet, 16) : six_at(packet, 24);
  std::vector<std::uint8_t> out(before + kIcmpHeader + quote.size());
  const auto protocol = static_cast<std::uint8_t>(four ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  put_ip_header(out, receiver, sender, protocol, kIcmpHeader + quote.size());
  out[before] = four ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
  out[before + 1] = four ? codes.four : codes.six;
  std::copy(quote.begin(), quote.end(), out.begin() + static_cast<std::ptrdiff_t>(before + kIcmpHeader));
  const Bytes message = Bytes(out).subspan(before);
  put(out, before + 2, four ? checksum({message}) : checksum_of(receiver, sender, protocol, message, {}));
  return out;
}

}  // namespace lambed::sandbox
