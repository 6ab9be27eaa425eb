// The network namespace of an environment: its own loopback, and where that can be had a tunnel by which its datagrams reach
// init. For the process that runs the body, while it still has the right.
#pragma once

#include <string>

#include "environments/sandbox/file_view.h"
#include "environments/sandbox/posix.h"

namespace lambed::sandbox {

// A path of this machine, held so that it can be opened from another root; not open where there is none.
Descriptor hold_tunnel_device();

struct TunnelPlan {
  int device = -1;      // by hold_tunnel_device(); -1: no tunnel
  std::string address;  // IPv4, of the environment
  int prefix = 32;
  bool six = false;  // and kAddress6Inside
};

// The calling process is in a new network namespace, with loopback up, when it returns.
Trouble enter_own_network();
// After that: a tunnel with the default route. What packets leave and enter by is the result, for DatagramRelay.
Trouble open_tunnel(const TunnelPlan& plan, Descriptor& tunnel);
// The machine has a way to the internet's addresses of IPv6. Sends nothing.
bool has_way_by_ipv6();

}  // namespace lambed::sandbox
