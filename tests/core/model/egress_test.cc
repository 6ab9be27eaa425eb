// Ranges of addresses, and the rules of security groups.
#include "model/egress.h"

#include <boost/test/unit_test.hpp>

namespace lambed::testing {
namespace {

bool contains(const char* range, const char* address) {
  return Cidr::parse(range).value().contains(parse_address(address).value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(egress)

BOOST_AUTO_TEST_CASE(ranges_hold_their_addresses_and_no_others) {
  BOOST_TEST(contains("10.0.0.0/16", "10.0.255.255"));
  BOOST_TEST(!contains("10.0.0.0/16", "10.1.0.0"));
  BOOST_TEST(contains("10.0.0.7/32", "10.0.0.7"));
  BOOST_TEST(!contains("10.0.0.7/32", "10.0.0.6"));
  BOOST_TEST(contains("0.0.0.0/0", "203.0.113.9"));
  BOOST_TEST(contains("10.0.0.0/9", "10.127.0.1"));
  BOOST_TEST(!contains("10.0.0.0/9", "10.128.0.1"));
  BOOST_TEST(contains("fd00::/8", "fdff::1"));
  BOOST_TEST(!contains("fd00::/8", "fe00::1"));
}

BOOST_AUTO_TEST_CASE(ranges_of_one_family_say_nothing_of_the_other) {
  BOOST_TEST(!contains("::/0", "10.0.0.1"));
  BOOST_TEST(!contains("0.0.0.0/0", "fd00::1"));
  // IPv4 written as IPv6 is IPv4.
  BOOST_TEST(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
}

BOOST_AUTO_TEST_CASE(what_is_no_range_is_refused) {
  for (const char* text :
       {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8", "10.0.0/8",
        "fd00::/129", "fd00::1/64", "::ffff:10.0.0.0/104", "/8", "any/0"})
    BOOST_TEST(!Cidr::parse(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(ranges_are_written_as_they_were_read) {
  for (const char* text : {"10.0.0.0/16", "0.0.0.0/0", "10.0.0.7/32", "fd00::/8", "::/0"})
    BOOST_TEST(Cidr::parse(text).value().text() == text);
}

BOOST_AUTO_TEST_CASE(a_rule_allows_its_protocol_ports_and_range) {
  using Protocol = EgressRule::Protocol;
  const EgressRule rule{Protocol::kTcp, 400, 443, Cidr::parse("10.0.0.0/8").value()};
  const AddressBytes inside = parse_address("10.2.3.4").value();
  BOOST_TEST(rule.allows(Protocol::kTcp, inside, 400));
  BOOST_TEST(rule.allows(Protocol::kTcp, inside, 443));
  BOOST_TEST(!rule.allows(Protocol::kTcp, inside, 399));
  BOOST_TEST(!rule.allows(Protocol::kTcp, inside, 444));
  BOOST_TEST(!rule.allows(Protocol::kUdp, inside, 443));
  BOOST_TEST(!rule.allows(Protocol::kTcp, parse_address("11.2.3.4").value(), 443));
  const EgressRule all{Protocol::kAll, 0, 65535, Cidr::parse("0.0.0.0/0").value()};
  BOOST_TEST((all.allows(Protocol::kTcp, inside, 1) && all.allows(Protocol::kUdp, inside, 65535)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
