// Attacks out of a VPC: past the rules of its security group, and at those who live in the same subnet.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "sandbox/attack.h"
#include "sandbox/internet.h"
#include "sandbox/sockets.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

std::string mapped(const char* address) { return fmt::format("::ffff:{}", address); }

int leave_by_tcp(const Site& site, const Inside&) { return connect_tcp(kOutside, site.port); }
int leave_by_tcp_mapped(const Site& site, const Inside&) { return connect_tcp(mapped(kOutside), site.port); }
int leave_by_tcp_without_waiting(const Site& site, const Inside&) {
  return connect_tcp(kOutside, site.port, SOCK_NONBLOCK);
}
int reach_neighbour_by_tcp(const Site& site, const Inside&) { return connect_tcp(kNeighbour, site.port); }
int reach_neighbour_at_allowed_port(const Site& site, const Inside&) {
  return connect_tcp(kNeighbour, site.group_port);
}
int reach_machine_at_allowed_port(const Site& site, const Inside&) {
  return connect_tcp(kMachine, site.group_port);
}
// A socket that was connected to where it may is connected anew.
int leave_by_second_connection(const Site& site, const Inside&) {
  return connect_anew({kOutside, site.group_port}, {kOutside, site.port});
}

int leave_by_udp(const Site& site, const Inside&) { return speak_to(kOutside, site.echo_port); }
int leave_by_udp_mapped(const Site& site, const Inside&) {
  return speak_to(mapped(kOutside), site.echo_port);
}
int speak_to_neighbour(const Site& site, const Inside&) { return speak_to(kNeighbour, site.group_port); }

// From a socket that is connected to where it may send.
int leave_past_connection(const Site& site, bool many) {
  const Internet first(kOutside, site.group_port), second(kOutside, site.echo_port);
  const int fd = datagram_socket();
  if (::connect(fd, first.get(), first.size()) != 0) return EHOSTUNREACH;
  if (::send(fd, "x", 1, 0) != 1 || heard(fd) != 0) return EHOSTUNREACH;
  const sockaddr nowhere{AF_UNSPEC, {}};
  ::connect(fd, &nowhere, sizeof nowhere);  // so that another one's answer would be heard
  iovec piece;
  mmsghdr messages[1] = {};
  messages[0].msg_hdr = message_to(second, piece);
  const long sent = many ? ::sendmmsg(fd, messages, 1, 0) : ::sendmsg(fd, &messages[0].msg_hdr, 0);
  return sent < 0 ? errno : heard(fd);
}
int leave_by_sendmsg(const Site& site, const Inside&) { return leave_past_connection(site, false); }
int leave_by_sendmmsg(const Site& site, const Inside&) { return leave_past_connection(site, true); }
int leave_by_connected_udp(const Site& site, const Inside&) {
  const Internet to(kOutside, site.echo_port);
  const int fd = datagram_socket();
  if (::connect(fd, to.get(), to.size()) != 0 || ::send(fd, "x", 1, 0) != 1) return errno;
  return heard(fd);
}
int take_neighbours_address(const Site& site, const Inside&) {
  const Internet from(kNeighbour, 0), to(kOutside, site.group_port);
  const int fd = datagram_socket();
  if (::bind(fd, from.get(), from.size()) != 0) return errno;
  if (::sendto(fd, "x", 1, 0, to.get(), to.size()) != 1) return errno;
  return heard(fd);
}

}  // namespace

sandbox::Network network_of_group() {
  sandbox::Network network;
  network.address = "10.88.0.5";
  network.prefix = 24;
  const Cidr outside = Cidr::parse(fmt::format("{}/32", kOutside)).value();
  const Cidr all = Cidr::parse("0.0.0.0/0").value();
  network.allowed = {
      {EgressRule::Protocol::kTcp, 4800, 4900, outside},
      {EgressRule::Protocol::kUdp, 4800, 4900, outside},
      // Port 25, link-local addresses and the machine are nobody's to allow, neighbours take no connections.
      {EgressRule::Protocol::kAll, 4800, 4900, all},
      {EgressRule::Protocol::kTcp, 25, 25, all}};
  network.unreachable = {Cidr::parse("10.88.0.0/24").value()};
  return network;
}

const std::vector<Attack>& attacks_on_egress() {
  static const std::vector<Attack> attacks = {
      {"leave by TCP", leave_by_tcp, "EPERM", "EPERM", "EPERM"},
      {"leave by TCP to a mapped address", leave_by_tcp_mapped, "EPERM", "EPERM", "EPERM"},
      {"leave by TCP without waiting", leave_by_tcp_without_waiting, "EPERM", "EPERM", "EPERM"},
      {"leave by a second connection", leave_by_second_connection, "EPERM", "EPERM", "EPERM"},
      {"reach a neighbour by TCP", reach_neighbour_by_tcp, "EHOSTUNREACH", "EHOSTUNREACH", "EHOSTUNREACH"},
      {"reach a neighbour at a port that is allowed", reach_neighbour_at_allowed_port, "EHOSTUNREACH",
       "EHOSTUNREACH", "EHOSTUNREACH"},
      {"reach the machine at a port that is allowed", reach_machine_at_allowed_port, "EPERM", "EPERM",
       "EPERM"},
      {"send mail that the group allows",
       [](const Site& site, const Inside&) { return connect_tcp(kOutside, site.mail_port); }, "EPERM",
       "EPERM", "EPERM"},
      {"leave by UDP", leave_by_udp, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"leave by UDP to a mapped address", leave_by_udp_mapped, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"leave by connected UDP", leave_by_connected_udp, "EPERM", "EPERM", "EPERM"},
      {"leave by sendmsg past a connection", leave_by_sendmsg, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"leave by sendmmsg past a connection", leave_by_sendmmsg, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak to a neighbour", speak_to_neighbour, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"take a neighbour's address", take_neighbours_address, "EADDRNOTAVAIL", "EADDRNOTAVAIL", "done"},
  };
  return attacks;
}

}  // namespace lambed::testing
