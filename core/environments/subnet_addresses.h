// Who has which address of which subnet: each is given to one environment at a time.
//
// Threads: any. One for the process: several gateways that know the same subnet share its addresses.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "model/egress.h"

namespace lambed::environments {

class SubnetAddresses {
 public:
  static SubnetAddresses& instance();

  struct Lease {
    std::string address;           // "10.0.1.5"
    int prefix = 0;                // 24
    std::shared_ptr<void> holder;  // the address is free again when the last copy goes
  };
  // Of an IPv4 range of at least eight addresses: all but the first four and the last one, in turn, so that one that was given back
  // is not at once somebody else's. Nothing: all are taken.
  std::optional<Lease> take(const Cidr& range);

 private:
  struct Subnet {
    std::set<std::uint32_t> taken;
    std::uint32_t next = 0;
  };
  std::mutex mutex_;  // guards subnets_
  std::map<std::string, Subnet> subnets_;
};

}  // namespace lambed::environments
