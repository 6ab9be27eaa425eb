// Packets as an environment's tunnel gives and takes them.
#include "environments/sandbox/packets.h"

#include <boost/test/unit_test.hpp>
#include <string_view>

namespace lambed::testing {
namespace {

using namespace sandbox;

Endpoint at(const char* address, int port) {
  return {*parse_address(address), static_cast<std::uint16_t>(port)};
}

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::uint8_t> packet_of(const Endpoint& from, const Endpoint& to, std::string_view payload) {
  std::vector<std::uint8_t> packet = headers_for({from, to, bytes(payload)});
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

// RFC 1071's own way to look: with the checksum in it, the sum is all ones.
std::uint32_t sum_of(Bytes data, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < data.size(); ++i)
    sum += i % 2 == 0 ? std::uint32_t{data[i]} << 8 : std::uint32_t{data[i]};
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::uint32_t sum_of_message(Bytes packet, bool four, std::uint8_t protocol) {
  const Bytes addresses = four ? packet.subspan(12, 8) : packet.subspan(8, 32);
  const Bytes message = packet.subspan(four ? 20 : 40);
  return sum_of(message, sum_of(addresses, static_cast<std::uint32_t>(protocol + message.size())));
}

PacketKind kind_of(const std::vector<std::uint8_t>& packet) {
  Datagram datagram;
  return read_packet(packet, datagram);
}

const Endpoint kInside = at("169.254.76.1", 40000), kOut = at("198.51.100.7", 53);
const Endpoint kInside6 = at("fd00::1", 40000), kOut6 = at("2001:db8::7", 53);

}  // namespace

BOOST_AUTO_TEST_SUITE(packets)

BOOST_AUTO_TEST_CASE(a_datagram_is_read_as_it_was_written) {
  const std::string longest(kLongestPayload, 'x');
  for (const auto& ends : {std::pair(kInside, kOut), std::pair(kInside6, kOut6)}) {
    for (const std::string_view payload :
         {std::string_view(""), std::string_view("odd"), std::string_view("even"),
          std::string_view(longest).substr(0, 65'000)}) {
      const auto packet = packet_of(ends.first, ends.second, payload);
      Datagram datagram;
      BOOST_REQUIRE((read_packet(packet, datagram) == PacketKind::kDatagram));
      BOOST_TEST((datagram.from == ends.first && datagram.to == ends.second));
      BOOST_TEST(std::string(datagram.payload.begin(), datagram.payload.end()) == payload);
    }
  }
  BOOST_TEST((kind_of(packet_of(kInside, kOut, longest)) == PacketKind::kDatagram));
}

BOOST_AUTO_TEST_CASE(checksums_are_right_also_where_they_would_be_zero) {
  for (int last = 0; last < 70'000; last += 7) {
    const std::string payload{static_cast<char>(last >> 8), static_cast<char>(last), 'x'};
    const auto four = packet_of(kInside, kOut, payload);
    BOOST_REQUIRE(sum_of(Bytes(four).first(20)) == 0xffffu);
    BOOST_REQUIRE(sum_of_message(four, true, 17) == 0xffffu);
    BOOST_REQUIRE((four[26] | four[27]) != 0);
    const auto six = packet_of(kInside6, kOut6, payload);
    BOOST_REQUIRE(sum_of_message(six, false, 17) == 0xffffu);
    BOOST_REQUIRE((six[46] | six[47]) != 0);
  }
}

BOOST_AUTO_TEST_CASE(what_is_cut_or_lies_about_its_size_is_no_packet) {
  for (const auto& ends : {std::pair(kInside, kOut), std::pair(kInside6, kOut6)}) {
    const auto whole = packet_of(ends.first, ends.second, "some payload");
    const std::size_t udp = whole.size() - 12 - 8;
    for (std::size_t size = 0; size < whole.size(); ++size)
      BOOST_TEST((kind_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}) ==
                  PacketKind::kNothing));
    for (const int size : {0, 7, 21, 255}) {  // 8 to 20 is what a shorter datagram has
      auto liar = whole;
      liar[udp + 4] = 0;
      liar[udp + 5] = static_cast<std::uint8_t>(size);
      BOOST_TEST((kind_of(liar) == PacketKind::kNothing), size);
    }
  }
  auto header = packet_of(kInside, kOut, "some payload");
  for (const int words : {0, 4, 15}) {
    header[0] = static_cast<std::uint8_t>(0x40 | words);
    BOOST_TEST((kind_of(header) == PacketKind::kNothing), words);
  }
}

BOOST_AUTO_TEST_CASE(other_protocols_and_pieces_are_told_apart) {
  auto packet = packet_of(kInside, kOut, "some payload");
  packet[9] = 6;
  BOOST_TEST((kind_of(packet) == PacketKind::kOther));
  packet[9] = 1;  // ICMP: an error about an error would never end
  BOOST_TEST((kind_of(packet) == PacketKind::kNothing));
  packet[9] = 17;
  packet[6] = 0x20;  // more follows
  BOOST_TEST((kind_of(packet) == PacketKind::kOther));
  packet[6] = 0;
  packet[7] = 1;  // the end of one
  BOOST_TEST((kind_of(packet) == PacketKind::kNothing));
  auto six = packet_of(kInside6, kOut6, "some payload");
  six[6] = 0;  // with options
  BOOST_TEST((kind_of(six) == PacketKind::kOther));
}

BOOST_AUTO_TEST_CASE(nobody_answers_for_many_and_no_ipv4_hides_in_ipv6) {
  BOOST_TEST((kind_of(packet_of(kInside, at("224.0.0.1", 53), "x")) == PacketKind::kNothing));
  BOOST_TEST((kind_of(packet_of(kInside, at("255.255.255.255", 53), "x")) == PacketKind::kNothing));
  BOOST_TEST((kind_of(packet_of(kInside6, at("ff02::1", 53), "x")) == PacketKind::kNothing));
  auto mapped = packet_of(kInside6, kOut6, "x");
  const AddressBytes loopback = *parse_address("127.0.0.1");
  std::copy(loopback.begin(), loopback.end(), mapped.begin() + 24);
  BOOST_TEST((kind_of(mapped) == PacketKind::kNothing));
}

BOOST_AUTO_TEST_CASE(an_answer_that_it_goes_nowhere_names_the_packet) {
  const auto four = packet_of(kInside, kOut, "some payload");
  const auto answer = unreachable(four, Unreachable::kPort);
  BOOST_TEST(answer[9] == 1);
  BOOST_TEST(int{answer[20]} == 3);
  BOOST_TEST(int{answer[21]} == 3);
  BOOST_TEST(sum_of(Bytes(answer).first(20)) == 0xffffu);
  BOOST_TEST(sum_of(Bytes(answer).subspan(20)) == 0xffffu);
  BOOST_TEST(std::equal(four.begin(), four.begin() + 28, answer.begin() + 28));
  BOOST_TEST(std::equal(four.begin() + 12, four.begin() + 16, answer.begin() + 16), "to the sender");

  const auto six = packet_of(kInside6, kOut6, "some payload");
  const auto answer6 = unreachable(six, Unreachable::kProhibited);
  BOOST_TEST(answer6[6] == 58);
  BOOST_TEST(int{answer6[40]} == 1);
  BOOST_TEST(int{answer6[41]} == 1);
  BOOST_TEST(sum_of_message(answer6, false, 58) == 0xffffu);
  BOOST_TEST(std::equal(six.begin(), six.end(), answer6.begin() + 48));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
