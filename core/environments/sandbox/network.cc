#include "environments/sandbox/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>

#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "environments/sandbox/resolvers.h"

namespace lambed::sandbox {
namespace {

// As the device is called on AWS.
constexpr char kTunnelName[] = "vinternal_1";
constexpr int kLargestPacket = 65'535;  // so that no datagram needs pieces

ifreq request_for(const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  return request;
}

Descriptor any_socket(int family) { return Descriptor(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

sockaddr address_of(std::uint32_t number) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = number;
  sockaddr result{};
  std::memcpy(&result, &four, sizeof result);
  return result;
}

int give_address(const Descriptor& any, const TunnelPlan& plan) {
  in_addr address{};
  if (::inet_pton(AF_INET, plan.address.c_str(), &address) != 1) return EINVAL;
  ifreq request = request_for(kTunnelName);
  request.ifr_addr = address_of(address.s_addr);
  if (::ioctl(any.get(), SIOCSIFADDR, &request) != 0) return errno;
  request.ifr_netmask = address_of(htonl(plan.prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - plan.prefix)));
  if (::ioctl(any.get(), SIOCSIFNETMASK, &request) != 0) return errno;
  request.ifr_mtu = kLargestPacket;
  if (::ioctl(any.get(), SIOCSIFMTU, &request) != 0) return errno;
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) return errno;
  rtentry route{};
  route.rt_dst = address_of(0);
  route.rt_genmask = address_of(0);
  route.rt_flags = RTF_UP;
  std::string device = kTunnelName;  // the kernel's struct knows no const
  route.rt_dev = device.data();
  return ::ioctl(any.get(), SIOCADDRT, &route) == 0 ? 0 : errno;
}

// The struct of the kernel's that goes with SIOCSIFADDR: <linux/ipv6.h> has it.
void give_address_6() {
  const Descriptor any = any_socket(AF_INET6);
  if (!any.is_open()) return;
  ifreq index = request_for(kTunnelName);
  if (::ioctl(any.get(), SIOCGIFINDEX, &index) != 0) return;
  in6_ifreq request{};
  ::inet_pton(AF_INET6, kAddress6Inside, &request.ifr6_addr);
  request.ifr6_prefixlen = 128;
  request.ifr6_ifindex = index.ifr_ifindex;
  if (::ioctl(any.get(), SIOCSIFADDR, &request) != 0) return;
  in6_rtmsg route{};
  route.rtmsg_metric = 1;
  route.rtmsg_flags = RTF_UP;
  route.rtmsg_ifindex = index.ifr_ifindex;
  (void)!::ioctl(any.get(), SIOCADDRT, &route);
}

}  // namespace

Descriptor hold_tunnel_device() { return Descriptor(::open("/dev/net/tun", O_PATH | O_CLOEXEC)); }

Trouble enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0) return trouble(errno, "making a network namespace");
  const Descriptor any = any_socket(AF_INET);
  if (!any.is_open()) return trouble(errno, "opening a socket");
  ifreq loopback = request_for("lo");
  loopback.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(any.get(), SIOCSIFFLAGS, &loopback) != 0) return trouble(errno, "starting loopback");
  return {};
}

Trouble open_tunnel(const TunnelPlan& plan, Descriptor& tunnel) {
  // Opened here and not earlier: a tunnel belongs to the network namespace in which its file was opened.
  Descriptor opened(
      ::open(fmt::format("/proc/self/fd/{}", plan.device).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!opened.is_open()) return trouble(errno, "opening /dev/net/tun");
  ifreq request = request_for(kTunnelName);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(opened.get(), TUNSETIFF, &request) != 0) return trouble(errno, "making a tunnel");
  // It then goes with its namespace, in the kernel's own time, and not while init is waited for.
  if (::ioctl(opened.get(), TUNSETPERSIST, 1) != 0) return trouble(errno, "keeping the tunnel");
  const Descriptor any = any_socket(AF_INET);
  if (!any.is_open()) return trouble(errno, "opening a socket");
  if (const int error = give_address(any, plan); error != 0)
    return trouble(error, "giving the tunnel the address " + plan.address);
  if (plan.six) give_address_6();  // where IPv6 is switched off, IPv4 is all there is
  tunnel = std::move(opened);
  return {};
}

bool has_way_by_ipv6() {
  const Descriptor probe = any_socket(AF_INET6);
  sockaddr_in6 there{};
  there.sin6_family = AF_INET6;
  there.sin6_port = htons(53);
  ::inet_pton(AF_INET6, "2000::1", &there.sin6_addr);
  return probe.is_open() &&
         ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0;
}

}  // namespace lambed::sandbox
