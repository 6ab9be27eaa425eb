#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "sandbox/attack.h"
#include "sandbox/internet.h"
#include "sandbox/sockets.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

int reach_loopback(const Site& site, const Inside&) { return connect_tcp("127.0.0.1", site.port); }
int reach_loopback_6(const Site& site, const Inside&) { return connect_tcp("::1", site.port); }
int reach_loopback_mapped(const Site& site, const Inside&) {
  return connect_tcp("::ffff:127.0.0.1", site.port);
}
int reach_loopback_unspecified(const Site& site, const Inside&) { return connect_tcp("0.0.0.0", site.port); }
int reach_loopback_elsewhere(const Site& site, const Inside&) { return connect_tcp("127.9.8.7", site.port); }
int reach_machine(const Site& site, const Inside&) { return connect_tcp(kMachine, site.port); }
int reach_machine_mapped(const Site& site, const Inside&) {
  return connect_tcp(fmt::format("::ffff:{}", kMachine), site.port);
}
int reach_credentials(const Site& site, const Inside&) { return connect_tcp("169.254.169.254", site.port); }
int send_mail(const Site& site, const Inside&) { return connect_tcp(kOutside, site.mail_port); }
int send_mail_mapped(const Site& site, const Inside&) {
  return connect_tcp(fmt::format("::ffff:{}", kOutside), site.mail_port);
}
int send_mail_without_waiting(const Site& site, const Inside&) {
  return connect_tcp(kOutside, site.mail_port, SOCK_NONBLOCK);
}
int send_mail_fast(const Site& site, const Inside&) {
  const Internet to(kOutside, site.mail_port);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  return outcome(::sendto(fd, "x", 1, MSG_FASTOPEN, to.get(), to.size()));
}
int send_mail_fast_by_message(const Site& site, const Inside&) {
  const Internet to(kOutside, site.mail_port);
  iovec piece;
  const msghdr message = message_to(to, piece);
  return outcome(::sendmsg(::socket(AF_INET, SOCK_STREAM, 0), &message, MSG_FASTOPEN));
}
int send_mail_fast_by_messages(const Site& site, const Inside&) {
  const Internet to(kOutside, site.mail_port);
  iovec piece;
  mmsghdr messages[1] = {};
  messages[0].msg_hdr = message_to(to, piece);
  return outcome(::sendmmsg(::socket(AF_INET, SOCK_STREAM, 0), messages, 1, MSG_FASTOPEN));
}
int send_mail_on_first_write(const Site& site, const Inside&) {
  const Internet to(kOutside, site.mail_port);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  if (::connect(fd, to.get(), to.size()) != 0) return errno;
  return outcome(::send(fd, "x", 1, MSG_NOSIGNAL));
}
// A second thread changes the port under the call, for ever.
int send_mail_by_race(const Site& site, const Inside&) {
  static Internet to(kOutside, site.port);
  static const in_port_t ports[] = {htons(static_cast<in_port_t>(site.port)),
                                    htons(static_cast<in_port_t>(site.mail_port))};
  pthread_t thread;
  const auto flip = [](void*) -> void* {
    volatile in_port_t* port = &to.v4().sin_port;
    for (int i = 0;; i ^= 1) *port = ports[i];
    return nullptr;
  };
  if (const int error = ::pthread_create(&thread, nullptr, flip, nullptr); error != 0) return error;
  int last = ETIMEDOUT;
  for (int i = 0; i < 1000; ++i) {
    ::usleep(100);  // where cores are few, the other thread wants its turn
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::connect(fd, to.get(), to.size()) != 0) {
      last = errno;
    } else if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
               peer.sin_port == ports[1]) {
      return 0;
    }
    ::close(fd);
  }
  return last;
}
// A connection that was allowed is undone, and made to somewhere else.
int send_mail_by_second_connection(const Site& site, const Inside&) {
  return connect_anew({kOutside, site.port}, {kOutside, site.mail_port});
}
// A socket that was connected outside is turned into one that listens there.
int listen_on_connected(const Site& site, const Inside&) {
  const Internet to(kOutside, site.inbound_port);  // nobody listens: the socket is free again
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (::connect(fd, to.get(), to.size()) != 0 && errno != EINPROGRESS) return EHOSTUNREACH;
  pollfd polled{fd, POLLOUT, 0};
  ::poll(&polled, 1, 1000);
  (void)!::connect(fd, to.get(), to.size());  // hears that it was refused
  return outcome(::listen(fd, 1));
}
int be_called(const Site& site, const Inside&) {
  const Internet here("0.0.0.0", site.inbound_port);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, here.get(), here.size()) != 0 || ::listen(fd, 1) != 0) return errno;
  pollfd polled{fd, POLLIN, 0};
  if (::poll(&polled, 1, 700) <= 0) return ETIMEDOUT;
  return outcome(::accept(fd, nullptr, nullptr));
}
int be_sent_datagrams(const Site& site, const Inside&) {
  const Internet here("0.0.0.0", site.inbound_port);
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (::bind(fd, here.get(), here.size()) != 0) return errno;
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 700) > 0 ? 0 : ETIMEDOUT;
}
int open_socket(int family, int type, int protocol) { return outcome(::socket(family, type, protocol)); }
int open_raw(const Site&, const Inside&) { return open_socket(AF_INET, SOCK_RAW, IPPROTO_UDP); }
int open_raw_6(const Site&, const Inside&) { return open_socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); }
int open_packet(const Site&, const Inside&) { return open_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)); }
int open_netlink(const Site&, const Inside&) { return open_socket(AF_NETLINK, SOCK_RAW, 0); }
int open_multipath(const Site&, const Inside&) { return open_socket(AF_INET, SOCK_STREAM, 262); }
int open_udp_lite(const Site&, const Inside&) { return open_socket(AF_INET, SOCK_DGRAM, 136); }

sockaddr_un unix_address(const std::string& name, socklen_t& size) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name.front() == 0 ? 0 : 1));
  return address;
}
std::string abstract_name(const Site& site) {
  return std::string(1, '\0') + "lambed-test-" + std::to_string(site.port);
}
int connect_unix(const std::string& name) {
  socklen_t size = 0;
  const sockaddr_un address = unix_address(name, size);
  return outcome(
      ::connect(::socket(AF_UNIX, SOCK_STREAM, 0), reinterpret_cast<const sockaddr*>(&address), size));
}
int reach_unix_socket(const Site& site, const Inside&) { return connect_unix(site.folder + "/socket"); }
int reach_unix_socket_by_link(const Site& site, const Inside& inside) {
  const std::string link = inside.tmp + "/to-socket";
  ::unlink(link.c_str());
  if (::symlink((site.folder + "/socket").c_str(), link.c_str()) != 0) return errno;
  return connect_unix(link);
}
int reach_abstract_socket(const Site& site, const Inside&) { return connect_unix(abstract_name(site)); }
int send_to_abstract_socket(const Site& site, const Inside&) {
  socklen_t size = 0;
  const sockaddr_un address = unix_address(abstract_name(site) + "d", size);
  return outcome(::sendto(::socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0,
                          reinterpret_cast<const sockaddr*>(&address), size));
}

}  // namespace

const std::vector<Attack>& attacks_on_network() {
  static const std::vector<Attack> attacks = {
      {"reach the machine's loopback", reach_loopback, "ECONNREFUSED", "ECONNREFUSED", "EPERM"},
      {"reach the machine's loopback by IPv6", reach_loopback_6, "ECONNREFUSED", "ECONNREFUSED", "EPERM"},
      {"reach the machine's loopback as a mapped address", reach_loopback_mapped, "ECONNREFUSED",
       "ECONNREFUSED", "EPERM"},
      {"reach the machine's loopback as 0.0.0.0", reach_loopback_unspecified, "ECONNREFUSED", "ECONNREFUSED",
       "EPERM"},
      {"reach the machine's loopback as 127.9.8.7", reach_loopback_elsewhere, "ECONNREFUSED", "ECONNREFUSED",
       "EPERM"},
      {"reach the machine by its address", reach_machine, "EPERM", "EPERM", "EPERM"},
      {"reach the machine by its mapped address", reach_machine_mapped, "EPERM", "EPERM", "EPERM"},
      {"reach the cloud's credentials", reach_credentials, "EPERM", "EPERM", "EPERM"},
      {"send mail", send_mail, "EPERM", "EPERM", "EPERM"},
      {"send mail to a mapped address", send_mail_mapped, "EPERM", "EPERM", "EPERM"},
      {"send mail without waiting", send_mail_without_waiting, "EPERM", "EPERM", "EPERM"},
      {"send mail by MSG_FASTOPEN", send_mail_fast, "EPERM", "EPERM", "EPERM"},
      {"send mail by sendmsg and MSG_FASTOPEN", send_mail_fast_by_message, "EPERM", "EPERM", "EPERM"},
      {"send mail by sendmmsg and MSG_FASTOPEN", send_mail_fast_by_messages, "EPERM", "EPERM", "EPERM"},
      {"send mail by TCP_FASTOPEN_CONNECT", send_mail_on_first_write, "EPERM", "EPERM", "EPERM"},
      {"send mail by changing the port in a race", send_mail_by_race, "EPERM|ETIMEDOUT", "EPERM|ETIMEDOUT",
       "EPERM|ETIMEDOUT"},
      {"send mail by a second connection", send_mail_by_second_connection, "EPERM", "EPERM", "EPERM"},
      {"listen on a socket of the machine", listen_on_connected, "EPERM", "EPERM", "EPERM"},
      {"be called by TCP", be_called, "ETIMEDOUT", "ETIMEDOUT", "EPERM"},
      // The bare layer cannot tell datagrams that answer from those that come unasked.
      {"be sent datagrams", be_sent_datagrams, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"open a raw socket", open_raw, "EPERM", "EPERM", "EPERM", true},
      {"open a raw IPv6 socket", open_raw_6, "EPERM", "EPERM", "EPERM", true},
      {"open a packet socket", open_packet, "EPERM", "EPERM", "EPERM", true},
      {"open a netlink socket", open_netlink, "EPERM", "EPERM", "EPERM"},
      {"open a multipath TCP socket", open_multipath, "ENOSYS", "ENOSYS", "ENOSYS"},
      {"open a UDP-Lite socket", open_udp_lite, "ENOSYS", "ENOSYS", "ENOSYS"},
      {"reach a Unix socket of the machine", reach_unix_socket, "ENOENT", "ENOENT", "EPERM"},
      {"reach a Unix socket by a link in /tmp", reach_unix_socket_by_link, "ENOENT", "ENOENT", "EPERM"},
      {"reach an abstract socket", reach_abstract_socket, "ECONNREFUSED", "ECONNREFUSED", "EPERM"},
      {"send to an abstract socket", send_to_abstract_socket, "ECONNREFUSED|EPERM", "ECONNREFUSED|EPERM",
       "EPERM", false, false, "done"},
  };
  return attacks;
}

}  // namespace lambed::testing
