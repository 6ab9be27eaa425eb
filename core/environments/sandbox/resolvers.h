// The machine's name servers, and the file that an environment reads instead. Functions without state.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lambed::sandbox {

// Addresses that mean something inside only, as on AWS: whatever is sent there is init's to pass on.
inline constexpr const char* kAddressInside = "169.254.76.1";  // of an environment without a VPC
inline constexpr int kPrefixInside = 23;
inline constexpr const char* kResolverInside =
    "169.254.78.1";  // port 53: the first name server; the next: .2, .3
inline constexpr const char* kMachineInside =
    "169.254.79.1";  // the machine's loopback, where that is allowed
inline constexpr const char* kAddress6Inside = "fd6c:616d:6264::1";

inline constexpr std::uint16_t kNamePort = 53;

// As glibc reads resolv.conf(5): the first three; without any, the one on loopback. Port 53.
std::vector<sockaddr_storage> name_servers(std::string_view resolv_conf);
// The same file with so many name servers of the inside, and its other lines. `by_tcp`: names are to be asked for by TCP.
std::string resolv_conf_inside(std::string_view resolv_conf, std::size_t servers, bool by_tcp);

}  // namespace lambed::sandbox
