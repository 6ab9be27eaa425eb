#include "environments/subnet_addresses.h"

#include <algorithm>

namespace lambed::environments {
namespace {

constexpr std::uint32_t kReservedBelow = 4;  // the network, its router, the resolver, "for future use"
constexpr std::uint32_t kReservedAbove = 1;

std::uint32_t number_of(const AddressBytes& address) {
  std::uint32_t number = 0;
  for (std::size_t i = 12; i < address.size(); ++i) number = number << 8 | address[i];
  return number;
}

std::string text_of_number(const Cidr& range, std::uint32_t offset) {
  AddressBytes address = range.base;
  std::uint32_t number = number_of(range.base) + offset;
  for (std::size_t i = address.size(); i-- > 12; number >>= 8) address[i] = static_cast<std::uint8_t>(number);
  return text_of(address);
}

}  // namespace

SubnetAddresses& SubnetAddresses::instance() {
  static auto* addresses = new SubnetAddresses();  // never destroyed: environments may outlive main()
  return *addresses;
}

std::optional<SubnetAddresses::Lease> SubnetAddresses::take(const Cidr& range) {
  const std::uint32_t size = std::uint32_t{1} << (128 - range.prefix);
  const std::uint32_t usable = size - kReservedBelow - kReservedAbove;
  const std::string name = range.text();
  std::lock_guard lock(mutex_);
  Subnet& subnet = subnets_[name];
  if (subnet.taken.size() >= usable) return std::nullopt;
  while (subnet.taken.count(subnet.next) > 0) subnet.next = (subnet.next + 1) % usable;
  const std::uint32_t mine = subnet.next;
  subnet.taken.insert(mine);
  subnet.next = (mine + 1) % usable;
  Lease lease;
  lease.address = text_of_number(range, kReservedBelow + mine);
  lease.prefix = range.prefix - 96;
  lease.holder = {nullptr, [this, name, mine](void*) {
                    std::lock_guard again(mutex_);
                    subnets_[name].taken.erase(mine);
                  }};
  return lease;
}

}  // namespace lambed::environments
