// An internet of the test's own: a network namespace in which the outside is this machine too, but does not look so.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

namespace lambed::testing {

// An address and port of either family.
class Internet {
 public:
  Internet(const char* address, int port);
  int family() const { return storage_.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage_); }

 private:
  sockaddr_storage storage_{};
};

// Moves the calling process into it; needs root. Empty, or what failed.
std::string enter_internet();

// In a mount namespace of the calling process's own: everybody may open /dev/net/tun, as most distributions have it, or there
// is none. False where this machine has no such device.
bool give_tunnels_to_all();
bool take_tunnels_from_all();

}  // namespace lambed::testing
