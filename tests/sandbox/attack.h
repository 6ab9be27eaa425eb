// An attack: what a function might try, first against no wall at all, then inside each layer.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <string>
#include <vector>

#include "environments/sandbox/sandbox.h"

namespace lambed::testing {

// What there is to attack. Made before the fork; in shared memory where both sides write.
struct Site {
  std::string folder;                   // of the test, on the host
  std::string store;                    // a file that everybody may read, with "secret" in it
  pid_t server = 0;                     // a process of the attacker's own user outside
  pid_t sibling = 0;                    // the body of another environment, in the host's numbers
  int server_file = -1;                 // a descriptor that `server` has open on the store
  const void* server_memory = nullptr;  // readable there
  int server_segment = -1;              // System V shared memory of the server
  int port = 0;                         // of a TCP listener on all of the machine's addresses
  int mail_port = 25;
  int echo_port = 4713;   // of datagrams (servers.h)
  int group_port = 4801;  // of a TCP listener and an echo, which the group of attacks_on_egress() lets out to
  int inbound_port = 0;   // where the outside tries to reach the attacker, by TCP and UDP
};
inline constexpr const char* kMachine = "10.77.0.1";     // the machine's own address
inline constexpr const char* kOutside = "198.51.100.1";  // one that is not the machine's
inline constexpr const char* kNeighbour =
    "10.88.0.9";  // where another environment lives, as if it were outside

struct Attack {
  const char* name;
  // 0: it worked. Else the errno that stopped it.
  int (*deed)(const Site&, const sandbox::Inside&);
  // How it must end: "EPERM", "signal 9", "out of memory", "done" (not enforced); alternatives with '|'.
  const char* in_root_layers;
  const char* in_user_namespace;
  const char* in_bare;
  bool needs_root = false;  // only root can do it where nothing stops it: tried from root's layers alone
  // Its first step is a user namespace: on a machine that gives none, such as a chroot, nobody needs to stop it.
  bool uses_user_namespace = false;
  // What it may end as besides in the bare layer of kernels older than Linux 6.12, whose Landlock knows no scopes: gaps that the
  // table of what is enforced names.
  const char* without_scopes = "";
  // Kernels before Linux 6.13 let nobody but root do it: it need not work where nothing stops it.
  bool is_newer = false;
};

const std::vector<Attack>& attacks_on_files();
const std::vector<Attack>& attacks_on_processes();
const std::vector<Attack>& attacks_on_resources();
const std::vector<Attack>& attacks_on_kernel();
const std::vector<Attack>& attacks_on_network();
const std::vector<Attack>& attacks_on_datagrams();
// From a VPC: an address of 10.88.0.0/24, and a group that lets out to kOutside's ports 4800 to 4900.
const std::vector<Attack>& attacks_on_egress();
sandbox::Network network_of_group();

// A deed's last line: errno of a call that failed, 0 when it did not.
inline int outcome(long result) { return result < 0 ? errno : 0; }

}  // namespace lambed::testing
