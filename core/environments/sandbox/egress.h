// Where an environment may send to, and where that really is: one set of rules for its connections and its datagrams. Init's;
// one thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

class Egress {
 public:
  // `own_network`: the environment has addresses of its own, and the inside's (resolvers.h). `resolvers`: what those for names
  // stand for.
  Egress(const Network& network, bool own_network, std::vector<sockaddr_storage> resolvers);

  // 0, and `address` is where to send to; or the errno that refuses it. `address` must be init's own copy. Of AF_INET and
  // AF_INET6 only; `type` is SOCK_STREAM or SOCK_DGRAM.
  int direct(sockaddr_storage& address, int type) const;
  // It never leaves the environment's own network: its loopback, its own address.
  bool stays_inside(const sockaddr_storage& address) const;

 private:
  bool translate(sockaddr_storage& address, int type) const;
  bool is_allowed(const sockaddr_storage& address, int type) const;

  const Network network_;
  const bool own_network_;
  const std::vector<sockaddr_storage> resolvers_;
};

}  // namespace lambed::sandbox
