#include "sandbox/internet.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "environments/sandbox/resolvers.h"
#include "sandbox/attack.h"

namespace lambed::testing {

using sandbox::kMachineInside;
using sandbox::kResolverInside;

Internet::Internet(const char* address, int port) {
  auto& four = reinterpret_cast<sockaddr_in&>(storage_);
  auto& six = reinterpret_cast<sockaddr_in6&>(storage_);
  if (::inet_pton(AF_INET, address, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<in_port_t>(port));
  } else {
    ::inet_pton(AF_INET6, address, &six.sin6_addr);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<in_port_t>(port));
  }
}

namespace {

void add_attribute(nlmsghdr& header, unsigned short type, const void* data, std::size_t size) {
  auto* attribute =
      reinterpret_cast<rtattr*>(reinterpret_cast<char*>(&header) + NLMSG_ALIGN(header.nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
  std::memcpy(RTA_DATA(attribute), data, size);
  header.nlmsg_len =
      static_cast<std::uint32_t>(NLMSG_ALIGN(header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

// "local <to>/32 dev lo src <from>": packets to `to` come back to us, sent as if by `from`, so that `to` looks like another
// machine to whoever asks for the way there.
bool add_local_route(const char* to, const char* from, std::uint32_t device) {
  struct {
    nlmsghdr header;
    rtmsg route;
    char space[128];
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
  request.route.rtm_family = AF_INET;
  request.route.rtm_dst_len = 32;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = RT_SCOPE_HOST;
  request.route.rtm_type = RTN_LOCAL;
  in_addr destination{}, source{};
  ::inet_pton(AF_INET, to, &destination);
  ::inet_pton(AF_INET, from, &source);
  add_attribute(request.header, RTA_DST, &destination, sizeof destination);
  add_attribute(request.header, RTA_PREFSRC, &source, sizeof source);
  add_attribute(request.header, RTA_OIF, &device, sizeof device);
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char space[256];
  } answer{};
  const bool sent =
      ::send(fd, &request, request.header.nlmsg_len, 0) > 0 && ::recv(fd, &answer, sizeof answer, 0) > 0;
  ::close(fd);
  errno = sent ? -answer.error.error : errno;
  return sent && answer.error.error == 0;
}

}  // namespace

bool give_tunnels_to_all() {
  constexpr int kTunnelDevice = 200;
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", "/dev/net", "tmpfs", 0, "mode=0755") == 0 &&
         ::mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, kTunnelDevice)) == 0 &&
         ::chmod("/dev/net/tun", 0666) == 0;
}

bool take_tunnels_from_all() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", "/dev/net", "tmpfs", 0, "mode=0755") == 0;
}

std::string enter_internet() {
  if (::unshare(CLONE_NEWNET) != 0) return std::string("a network namespace: ") + std::strerror(errno);
  const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq loopback{};
  std::strncpy(loopback.ifr_name, "lo", IFNAMSIZ - 1);
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool up = ::ioctl(any, SIOCSIFFLAGS, &loopback) == 0;
  // A second address on loopback is the machine's own.
  ifreq own{};
  std::strncpy(own.ifr_name, "lo:1", IFNAMSIZ - 1);
  const Internet machine(kMachine, 0);
  std::memcpy(&own.ifr_addr, machine.get(), machine.size());
  const bool named = ::ioctl(any, SIOCSIFADDR, &own) == 0;
  ::close(any);
  if (!up || !named) return std::string("its loopback: ") + std::strerror(errno);
  const std::uint32_t device = if_nametoindex("lo");
  for (const char* outside : {kOutside, kNeighbour, "169.254.169.254", kResolverInside, kMachineInside}) {
    if (!add_local_route(outside, kMachine, device))
      return std::string("a route to ") + outside + ": " + std::strerror(errno);
  }
  return {};
}

}  // namespace lambed::testing
