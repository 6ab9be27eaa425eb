// Which networks there are, and who may be in them.
#include "model/networks.h"

#include <boost/test/unit_test.hpp>

namespace lambed::testing {
namespace {

using model::Networks;

const char* kFile = R"({"Vpcs": [
  {"VpcId": "vpc-1",
   "Subnets": [{"SubnetId": "subnet-a", "CidrBlock": "10.0.1.0/24"}, {"SubnetId": "subnet-b", "CidrBlock": "10.0.2.0/28"}],
   "SecurityGroups": [
     {"GroupId": "sg-all"},
     {"GroupId": "sg-none", "IpPermissionsEgress": []},
     {"GroupId": "sg-web", "IpPermissionsEgress": [
       {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "198.51.100.0/24"}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
       {"IpProtocol": "17", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "203.0.113.7/32"}]}]}]},
  {"VpcId": "vpc-2", "Subnets": [{"SubnetId": "subnet-c", "CidrBlock": "10.0.1.0/24"}],
   "SecurityGroups": [{"GroupId": "sg-other"}]}]})";

Networks networks() { return Networks::of(model::vpcs_from_json(kFile).value()).value(); }

std::string complaint(const Result<VpcConfig>& result) { return result.ok() ? "" : result.error().message(); }

std::string trouble_with(const Vpc& vpc) {
  const auto made = Networks::of({vpc});
  return made.ok() ? "" : made.error().message();
}

bool allows(const Networks& known, const std::vector<std::string>& groups, EgressRule::Protocol protocol,
            const char* address, int port) {
  for (const EgressRule& rule : known.egress_of(groups))
    if (rule.allows(protocol, parse_address(address).value(), port)) return true;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(networks_of_functions)

BOOST_AUTO_TEST_CASE(a_function_is_told_its_vpc) {
  const auto checked = networks().check({{"subnet-a", "subnet-b"}, {"sg-web"}, true});
  BOOST_REQUIRE_MESSAGE(checked.ok(), complaint(checked));
  BOOST_TEST(checked->vpc_id == "vpc-1");
  BOOST_TEST(checked->ipv6_allowed_for_dual_stack);
  BOOST_TEST(networks().check({}).value().vpc_id.empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_refused_in_the_words_of_aws) {
  BOOST_TEST(complaint(networks().check({{"subnet-x"}, {"sg-web"}})) ==
             "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error "
             "Message: The "
             "subnet ID 'subnet-x' does not exist");
  BOOST_TEST(complaint(networks().check({{"subnet-a"}, {"sg-x"}})) ==
             "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error "
             "Message: "
             "The security group 'sg-x' does not exist");
  BOOST_TEST(complaint(networks().check({{"subnet-a"}, {}})) ==
             "SubnetIds and SecurityIds must coexist or be both empty list.");
  BOOST_TEST(complaint(networks().check({{}, {"sg-web"}})) ==
             "SubnetIds and SecurityIds must coexist or be both empty list.");
  BOOST_TEST(complaint(networks().check({{"subnet-a"}, {"sg-other"}})) ==
             "Security Groups are required to be in the same VPC.");
  BOOST_TEST(complaint(networks().check({{"subnet-a", "subnet-c"}, {"sg-web"}})) ==
             "Subnets are required to be in the same VPC.");
}

BOOST_AUTO_TEST_CASE(groups_let_out_what_any_of_them_lets_out) {
  using Protocol = EgressRule::Protocol;
  const Networks known = networks();
  BOOST_TEST(allows(known, {"sg-all"}, Protocol::kUdp, "203.0.113.9", 1));
  BOOST_TEST(allows(known, {"sg-all"}, Protocol::kTcp, "2001:db8::1", 65535));
  BOOST_TEST(!allows(known, {"sg-none"}, Protocol::kTcp, "203.0.113.9", 443));
  BOOST_TEST(!allows(known, {"sg-unknown"}, Protocol::kTcp, "203.0.113.9", 443));
  BOOST_TEST(allows(known, {"sg-none", "sg-web"}, Protocol::kTcp, "198.51.100.9", 443));
  BOOST_TEST(allows(known, {"sg-web"}, Protocol::kTcp, "2001:db8::1", 443));
  BOOST_TEST(!allows(known, {"sg-web"}, Protocol::kTcp, "198.51.100.9", 444));
  BOOST_TEST(!allows(known, {"sg-web"}, Protocol::kUdp, "198.51.100.9", 443));
  BOOST_TEST(allows(known, {"sg-web"}, Protocol::kUdp, "203.0.113.7", 5353));
  BOOST_TEST(known.ranges_of("vpc-1").size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_network_is_refused) {
  BOOST_TEST(trouble_with({"vpc-1", {{"subnet-a", "10.0.0.0/24"}}, {{"sg-1"}}}).empty());
  for (const char* range : {"10.0.0.0/15", "10.0.0.0/29", "10.0.0.1/24", "fd00::/24", "", "10.0.0.0"})
    BOOST_TEST(!trouble_with({"vpc-1", {{"subnet-a", range}}, {}}).empty(), range);
  BOOST_TEST(
      !trouble_with({"vpc-1", {{"subnet-a", "10.0.0.0/16"}, {"subnet-b", "10.0.3.0/24"}}, {}}).empty());
  BOOST_TEST(!trouble_with({"", {}, {}}).empty());
  BOOST_TEST(!trouble_with({"vpc-1", {{"subnet-a", "10.0.0.0/24"}}, {{"subnet-a"}}}).empty());
  const auto with = [](EgressPermission permission) {
    return trouble_with({"vpc-1", {}, {{"sg-1", std::vector<EgressPermission>{std::move(permission)}}}});
  };
  BOOST_TEST(with({"tcp", 1, 2, {"10.0.0.0/8"}}).empty());
  BOOST_TEST(!with({"icmp", {}, {}, {"10.0.0.0/8"}}).empty());
  BOOST_TEST(!with({"tcp", 2, 1, {"10.0.0.0/8"}}).empty());
  BOOST_TEST(!with({"tcp", 1, 65536, {"10.0.0.0/8"}}).empty());
  BOOST_TEST(!with({"tcp", 1, 2, {"10.0.0.0/33"}}).empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_says_why) {
  for (const char* text : {"", "[]", "{}", R"({"Vpcs": [{}]})", R"({"Vpcs": [{"VpcId": 1}]})",
                           R"({"Vpcs": [{"VpcId": "v", "Subnets": [{"SubnetId": "s"}]}]})"})
    BOOST_TEST(!model::vpcs_from_json(text).ok(), text);
  BOOST_CHECK_THROW(networks_from_json("{}"), Error);
  BOOST_TEST(networks_from_json(kFile).size() == 2u);
}

BOOST_AUTO_TEST_CASE(rules_are_read_as_they_are_written) {
  for (const EgressRule& rule : networks().egress_of({"sg-web", "sg-all"})) {
    const auto read = EgressRule::parse(rule.text(), rule.to);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST((read->protocol == rule.protocol && read->from_port == rule.from_port &&
                read->to_port == rule.to_port));
  }
  for (const char* text : {"", "tcp", "tcp 1", "tcp 1 x", "tcp 1 2 3", "icmp 1 2", "tcp1 2 3"})
    BOOST_TEST(!EgressRule::parse(text, {}).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
