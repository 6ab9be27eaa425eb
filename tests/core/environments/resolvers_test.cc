// The machine's name servers as environments see them.
#include "environments/sandbox/resolvers.h"

#include <boost/test/unit_test.hpp>

#include "environments/sandbox/addresses.h"

namespace lambed::testing {
namespace {

using namespace sandbox;

std::string servers_of(const char* text) {
  std::string all;
  for (const sockaddr_storage& server : name_servers(text))
    all += text_of(bytes_of(server)) + ":" + std::to_string(port_of(server)) + " ";
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resolvers)

BOOST_AUTO_TEST_CASE(name_servers_are_read_as_glibc_reads_them) {
  BOOST_TEST(servers_of("search a b\nnameserver 127.0.0.53 # stub\noptions edns0\n") == "127.0.0.53:53 ");
  BOOST_TEST(
      servers_of("nameserver\t10.0.0.2\nnameserver fd00::2%lo\nnameserver 10.0.0.3\nnameserver 10.0.0.4") ==
      "10.0.0.2:53 fd00::2:53 10.0.0.3:53 ");
  BOOST_TEST(servers_of("") == "127.0.0.1:53 ");
  BOOST_TEST(servers_of("nameservers 10.0.0.2\n#nameserver 10.0.0.3\nnameserver nonsense\nnameserver") ==
             "127.0.0.1:53 ");
}

BOOST_AUTO_TEST_CASE(the_inside_has_servers_of_its_own_and_the_other_lines) {
  const char* machine = "search a b\nnameserver 127.0.0.53\nnameserver 10.0.0.3\noptions edns0\n";
  BOOST_TEST(resolv_conf_inside(machine, 2, false) ==
             "nameserver 169.254.78.1\nnameserver 169.254.78.2\nsearch a b\noptions edns0\n");
  BOOST_TEST(resolv_conf_inside("", 1, true) == "nameserver 169.254.78.1\noptions use-vc\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
