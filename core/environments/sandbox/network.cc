#include "environments/sandbox/network.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {

Trouble enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0) return trouble(errno, "making a network namespace");
  const FileDescriptor any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!any.is_open()) return trouble(errno, "opening a socket");
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0) return trouble(errno, "starting loopback");
  return {};
}

}  // namespace lambed::sandbox
