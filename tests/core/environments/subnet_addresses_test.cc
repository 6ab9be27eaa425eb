// Each address of a subnet belongs to one environment at a time.
#include "environments/subnet_addresses.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <thread>
#include <vector>

namespace lambed::testing {

using environments::SubnetAddresses;

BOOST_AUTO_TEST_SUITE(subnet_addresses)

BOOST_AUTO_TEST_CASE(every_address_but_the_reserved_ones_is_given_once) {
  SubnetAddresses addresses;
  const Cidr range = Cidr::parse("10.9.0.16/28").value();
  std::vector<SubnetAddresses::Lease> held;
  std::set<std::string> seen;
  while (auto lease = addresses.take(range)) {
    BOOST_TEST(lease->prefix == 28);
    seen.insert(lease->address);
    held.push_back(std::move(*lease));
  }
  BOOST_TEST(held.size() == 11u);
  BOOST_TEST(seen.size() == 11u);
  BOOST_TEST(*seen.begin() == "10.9.0.20");
  BOOST_TEST(*seen.rbegin() == "10.9.0.30");
}

BOOST_AUTO_TEST_CASE(an_address_that_is_given_back_is_free_again_but_not_at_once_the_next) {
  SubnetAddresses addresses;
  const Cidr range = Cidr::parse("10.9.1.0/24").value();
  auto first = addresses.take(range);
  const std::string name = first->address;
  first.reset();
  auto second = addresses.take(range);
  BOOST_TEST(second->address != name);
  std::vector<SubnetAddresses::Lease> held;
  bool came_back = false;
  while (auto lease = addresses.take(range)) {
    came_back = came_back || lease->address == name;
    held.push_back(std::move(*lease));
  }
  BOOST_TEST(came_back);
  held.pop_back();
  BOOST_TEST(addresses.take(range).has_value());
}

BOOST_AUTO_TEST_CASE(no_two_threads_get_the_same_address) {
  SubnetAddresses addresses;
  const Cidr range = Cidr::parse("10.9.2.0/24").value();
  std::vector<std::vector<SubnetAddresses::Lease>> held(4);
  {
    std::vector<std::thread> threads;
    for (auto& mine : held)
      threads.emplace_back([&addresses, &range, &mine] {
        for (int i = 0; i < 60; ++i)
          if (auto lease = addresses.take(range)) mine.push_back(std::move(*lease));
      });
    for (std::thread& thread : threads) thread.join();
  }
  std::set<std::string> seen;
  for (const auto& some : held)
    for (const auto& lease : some) seen.insert(lease.address);
  BOOST_TEST(seen.size() == 240u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
