// IP packets as they leave and enter an environment by its tunnel: read with care, written with right checksums. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/egress.h"

namespace lambed::sandbox {

using Bytes = std::span<const std::uint8_t>;

struct Endpoint {
  AddressBytes address{};
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

// Both ends of one family.
struct Datagram {
  Endpoint from, to;
  Bytes payload;  // a part of the packet
};

enum class PacketKind {
  kDatagram,  // a whole UDP datagram
  kOther,     // another protocol, or a piece of one; its sender can be told that it goes nowhere
  kNothing,   // no packet, or one that nobody may answer (to many, or about an error)
};
PacketKind read_packet(Bytes packet, Datagram& datagram);

// A longer one has room in no packet of either family that an environment takes.
inline constexpr std::size_t kLongestPayload = 65'507;
inline constexpr std::size_t kLongestHeaders = 48;

// The headers that go before a payload: 28 bytes of IPv4 and UDP, or 48 of IPv6 and UDP.
std::vector<std::uint8_t> headers_for(const Datagram& datagram);

enum class Unreachable { kNetwork, kHost, kPort, kProhibited };
// The ICMP message with which the receiver of `packet` (or its beginning; of kDatagram or kOther) answers its sender.
std::vector<std::uint8_t> unreachable(Bytes packet, Unreachable why);

}  // namespace lambed::sandbox
