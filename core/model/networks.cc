#include "model/networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/violations.h"

namespace lambed::model {
namespace {

using nlohmann::json;

// Of an IPv4 range in the 128 bits of Cidr. EC2's own bounds of a subnet.
constexpr int kWidestSubnet = 96 + 16;
constexpr int kNarrowestSubnet = 96 + 28;

Result<EgressRule::Protocol> protocol_of(const std::string& name, const std::string& group) {
  if (name == "-1") return EgressRule::Protocol::kAll;
  if (name == "tcp" || name == "6") return EgressRule::Protocol::kTcp;
  if (name == "udp" || name == "17") return EgressRule::Protocol::kUdp;
  return invalid_parameter(
      fmt::format("The security group {} has the IpProtocol '{}'; it may be tcp, udp or -1: nothing else "
                  "leaves a function.",
                  group, name));
}

Result<void> add_rules(std::vector<EgressRule>& rules, const EgressPermission& permission,
                       const std::string& group) {
  const auto protocol = protocol_of(permission.protocol, group);
  if (!protocol.ok()) return protocol.error();
  EgressRule rule;
  rule.protocol = *protocol;
  // Like EC2: a rule for all protocols is one for all ports.
  if (rule.protocol != EgressRule::Protocol::kAll && permission.from_port.value_or(-1) != -1) {
    rule.from_port = *permission.from_port;
    rule.to_port = permission.to_port.value_or(rule.from_port);
    if (rule.from_port < 0 || rule.to_port > 65535 || rule.from_port > rule.to_port)
      return invalid_parameter(
          fmt::format("The security group {} has the ports {} to {}; it takes 0 to 65535.", group,
                      rule.from_port, rule.to_port));
  }
  for (const std::string& text : permission.cidrs) {
    const auto range = Cidr::parse(text);
    if (!range)
      return invalid_parameter(
          fmt::format("The security group {} has the CIDR block '{}', which is none.", group, text));
    rule.to = *range;
    rules.push_back(rule);
  }
  return {};
}

std::vector<EgressPermission> everything() { return {{.protocol = "-1", .cidrs = {"0.0.0.0/0", "::/0"}}}; }

Error named_twice(const std::string& id) {
  return invalid_parameter(fmt::format("The networks name '{}' twice, or not at all.", id));
}

}  // namespace

Result<Networks> Networks::of(const std::vector<Vpc>& vpcs) {
  Networks networks;
  std::map<std::string, bool> ids;
  for (const Vpc& vpc : vpcs) {
    if (vpc.id.empty() || !ids.emplace(vpc.id, true).second) return named_twice(vpc.id);
    std::vector<Cidr> ranges;
    for (const Subnet& subnet : vpc.subnets) {
      const auto range = Cidr::parse(subnet.cidr);
      if (!range || !is_ipv4(range->base) || range->prefix < kWidestSubnet ||
          range->prefix > kNarrowestSubnet)
        return invalid_parameter(
            fmt::format("The subnet {} has the CIDR block '{}'; it takes one of IPv4 from /16 to /28.",
                        subnet.id, subnet.cidr));
      if (std::any_of(ranges.begin(), ranges.end(), [&](const Cidr& other) {
            return other.contains(range->base) || range->contains(other.base);
          }))
        return invalid_parameter(
            fmt::format("The CIDR block '{}' of the subnet {} overlaps with another one of {}.", subnet.cidr,
                        subnet.id, vpc.id));
      ranges.push_back(*range);
      if (subnet.id.empty() || !ids.emplace(subnet.id, true).second) return named_twice(subnet.id);
      networks.subnets_.emplace(subnet.id, SubnetRange{vpc.id, *range});
    }
    for (const SecurityGroup& group : vpc.security_groups) {
      if (group.id.empty() || !ids.emplace(group.id, true).second) return named_twice(group.id);
      Group& made = networks.groups_[group.id];
      made.vpc = vpc.id;
      for (const EgressPermission& permission : group.egress ? *group.egress : everything()) {
        if (auto added = add_rules(made.egress, permission, group.id); !added.ok()) return added.error();
      }
    }
  }
  return networks;
}

Result<VpcConfig> Networks::check(const VpcConfig& wanted) const {
  VpcConfig checked = wanted;
  checked.vpc_id.clear();
  if (wanted.subnet_ids.empty() != wanted.security_group_ids.empty())
    return invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list.");
  for (const std::string& id : wanted.subnet_ids) {
    const SubnetRange* found = subnet(id);
    if (found == nullptr)
      return invalid_parameter(fmt::format(
          "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error "
          "Message: The subnet ID '{}' does not exist",
          id));
    if (!checked.vpc_id.empty() && checked.vpc_id != found->vpc)
      return invalid_parameter("Subnets are required to be in the same VPC.");
    checked.vpc_id = found->vpc;
  }
  for (const std::string& id : wanted.security_group_ids) {
    const auto found = groups_.find(id);
    if (found == groups_.end())
      return invalid_parameter(fmt::format(
          "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 "
          "Error Message: The security group '{}' does not exist",
          id));
    if (found->second.vpc != checked.vpc_id)
      return invalid_parameter("Security Groups are required to be in the same VPC.");
  }
  return checked;
}

const Networks::SubnetRange* Networks::subnet(const std::string& id) const {
  const auto found = subnets_.find(id);
  return found == subnets_.end() ? nullptr : &found->second;
}

std::vector<EgressRule> Networks::egress_of(const std::vector<std::string>& groups) const {
  std::vector<EgressRule> rules;
  for (const std::string& id : groups) {
    if (const auto found = groups_.find(id); found != groups_.end())
      rules.insert(rules.end(), found->second.egress.begin(), found->second.egress.end());
  }
  return rules;
}

std::vector<Cidr> Networks::ranges_of(const std::string& vpc) const {
  std::vector<Cidr> ranges;
  for (const auto& [id, subnet] : subnets_) {
    if (subnet.vpc == vpc) ranges.push_back(subnet.range);
  }
  return ranges;
}

namespace {

// With its own words about what is not there or of another kind.
EgressPermission permission_from(const json& object) {
  EgressPermission permission;
  object.at("IpProtocol").get_to(permission.protocol);
  if (object.contains("FromPort")) permission.from_port = object["FromPort"].get<int>();
  if (object.contains("ToPort")) permission.to_port = object["ToPort"].get<int>();
  const std::pair<const char*, const char*> members[] = {{"IpRanges", "CidrIp"}, {"Ipv6Ranges", "CidrIpv6"}};
  for (const auto& member : members) {
    for (const json& range : object.value(member.first, json::array()))
      permission.cidrs.push_back(range.at(member.second).get<std::string>());
  }
  return permission;
}

Vpc vpc_from(const json& object) {
  Vpc vpc{object.at("VpcId").get<std::string>(), {}, {}};
  for (const json& subnet : object.value("Subnets", json::array()))
    vpc.subnets.push_back(
        {subnet.at("SubnetId").get<std::string>(), subnet.at("CidrBlock").get<std::string>()});
  for (const json& group : object.value("SecurityGroups", json::array())) {
    SecurityGroup made{group.at("GroupId").get<std::string>(), std::nullopt};
    if (group.contains("IpPermissionsEgress")) {
      made.egress.emplace();
      for (const json& permission : group["IpPermissionsEgress"])
        made.egress->push_back(permission_from(permission));
    }
    vpc.security_groups.push_back(std::move(made));
  }
  return vpc;
}

}  // namespace

Result<std::vector<Vpc>> vpcs_from_json(std::string_view text) {
  try {
    std::vector<Vpc> vpcs;
    const json document = json::parse(text);  // it must outlive the loop
    for (const json& vpc : document.at("Vpcs")) vpcs.push_back(vpc_from(vpc));
    return vpcs;
  } catch (const json::exception& error) {
    return invalid_parameter(fmt::format("The networks cannot be read: {}", error.what()));
  }
}

}  // namespace lambed::model

namespace lambed {

std::vector<Vpc> networks_from_json(std::string_view text) { return model::vpcs_from_json(text).value(); }

}  // namespace lambed
