// The networks that a gateway knows, with their rules in a form that can be applied, and AWS's checks of who wants to be in one.
// A value; const methods from any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lambed/function.h"
#include "lambed/networks.h"
#include "model/egress.h"

namespace lambed::model {

class Networks {
 public:
  struct SubnetRange {
    std::string vpc;
    Cidr range;
  };

  Networks() = default;
  // Errors: InvalidParameterValueException with what is wrong where.
  static Result<Networks> of(const std::vector<Vpc>& vpcs);

  // What a function asks for, as AWS checks it; the answer has vpc_id filled in. Errors: InvalidParameterValueException in AWS's
  // wording.
  Result<VpcConfig> check(const VpcConfig& wanted) const;

  const SubnetRange* subnet(const std::string& id) const;
  // Of all those groups together; unknown ones let nothing out.
  std::vector<EgressRule> egress_of(const std::vector<std::string>& groups) const;
  // Of all subnets of that VPC: where functions live, who take no connections.
  std::vector<Cidr> ranges_of(const std::string& vpc) const;

 private:
  struct Group {
    std::string vpc;
    std::vector<EgressRule> egress;
  };
  std::map<std::string, SubnetRange> subnets_;
  std::map<std::string, Group> groups_;
};

// {"Vpcs": [{"VpcId", "Subnets": [{"SubnetId", "CidrBlock"}], "SecurityGroups": [{"GroupId", "IpPermissionsEgress": [{
// "IpProtocol", "FromPort", "ToPort", "IpRanges": [{"CidrIp"}], "Ipv6Ranges": [{"CidrIpv6"}]}]}]}]}: the members' names are EC2's.
// Errors: InvalidParameterValueException; the networks in it are checked by Networks::of.
Result<std::vector<Vpc>> vpcs_from_json(std::string_view text);

}  // namespace lambed::model
