// Networks that functions can be put into: AWS's virtual private clouds, as far as a function notices. Plain values.
//
// A function with a VpcConfig gets, for each of its execution environments, an address of one of its subnets, in a network
// namespace of its own, and may send to what its security groups let out and nothing else. Nobody sees that address outside:
// whoever is spoken to sees this machine's. Isolation `process` only (docs/isolation.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace [[gnu::visibility("default")]] lambed {

// As one of EC2's IpPermissionsEgress.
struct EgressPermission {
  std::string protocol = "-1";        // "tcp", "udp" (or "6", "17"); "-1": all
  std::optional<int> from_port = {};  // both inclusive; none: all ports
  std::optional<int> to_port = {};
  std::vector<std::string> cidrs;  // "10.0.0.0/16", "fd00::/8"
};

struct SecurityGroup {
  std::string id;  // "sg-..."
  // None given: everything may leave, as in a group that EC2 has just made. Empty: nothing.
  std::optional<std::vector<EgressPermission>> egress = {};
};

struct Subnet {
  std::string id;  // "subnet-..."
  std::string
      cidr;  // IPv4, /16 to /28; the first four addresses and the last one are not given out, as in a VPC
};

struct Vpc {
  std::string id;  // "vpc-..."
  std::vector<Subnet> subnets;
  std::vector<SecurityGroup> security_groups;
};

// Networks from a text in JSON, as of the file of `lambed serve --networks` (docs/isolation.md). Throws Error,
// InvalidParameterValueException, which says what cannot be read; what can be read is checked when a gateway is made of it.
std::vector<Vpc> networks_from_json(std::string_view text);

}  // namespace lambed
