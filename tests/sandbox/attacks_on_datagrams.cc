// Attacks by datagrams: what may not be reached, what may not come in, and who one may not pretend to be. One has worked when an
// answer is there.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "environments/sandbox/resolvers.h"
#include "sandbox/attack.h"
#include "sandbox/internet.h"
#include "sandbox/sockets.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

int speak_to_loopback(const Site& site, const Inside&) { return speak_to("127.0.0.1", site.echo_port); }
int speak_to_loopback_elsewhere(const Site& site, const Inside&) {
  return speak_to("127.9.8.7", site.echo_port);
}
int speak_to_machine(const Site& site, const Inside&) { return speak_to(kMachine, site.echo_port); }
int speak_to_machine_mapped(const Site& site, const Inside&) {
  return speak_to(fmt::format("::ffff:{}", kMachine), site.echo_port);
}
int speak_to_credentials(const Site& site, const Inside&) {
  return speak_to("169.254.169.254", site.echo_port);
}
// What stands for the name servers is a way to their port 53 only, and what stands for the machine is none.
int speak_to_resolver(const Site& site, const Inside&) {
  return speak_to(sandbox::kResolverInside, site.echo_port);
}
int speak_to_machine_inside(const Site& site, const Inside&) {
  return speak_to(sandbox::kMachineInside, site.echo_port);
}

// A socket that is connected to whom one may speak to, and told to send elsewhere.
int speak_past_connection(const Site& site, int (*send)(int, const Internet&)) {
  const Internet first(kOutside, site.echo_port), second(kMachine, site.echo_port);
  const int fd = datagram_socket();
  if (::connect(fd, first.get(), first.size()) != 0) return EHOSTUNREACH;
  if (::send(fd, "x", 1, 0) != 1 || heard(fd) != 0) return EHOSTUNREACH;
  if (send(fd, second) < 0) return errno;
  // The answer comes from another one than the connected peer: the kernel lets it in when the connection is undone.
  const sockaddr nowhere{AF_UNSPEC, {}};
  ::connect(fd, &nowhere, sizeof nowhere);
  if (send(fd, second) < 0) return errno;
  return heard(fd);
}
int speak_past_by_sendto(const Site& site, const Inside&) {
  return speak_past_connection(site, [](int fd, const Internet& to) {
    return static_cast<int>(::sendto(fd, "x", 1, 0, to.get(), to.size()));
  });
}
int speak_past_by_sendmsg(const Site& site, const Inside&) {
  return speak_past_connection(site, [](int fd, const Internet& to) {
    iovec piece;
    const msghdr message = message_to(to, piece);
    return static_cast<int>(::sendmsg(fd, &message, 0));
  });
}
int speak_past_by_sendmmsg(const Site& site, const Inside&) {
  return speak_past_connection(site, [](int fd, const Internet& to) {
    iovec piece;
    mmsghdr messages[1] = {};
    messages[0].msg_hdr = message_to(to, piece);
    return ::sendmmsg(fd, messages, 1, 0);
  });
}

// Whoever was not spoken to answers.
int hear_a_stranger(const Site& site, const Inside&) {
  const Internet to(kOutside, site.echo_port);
  const int fd = datagram_socket();
  if (::sendto(fd, "stranger", 8, 0, to.get(), to.size()) != 8) return errno;
  return heard(fd);
}

// The peer must see another source than the one that the machine has for it.
int pretend(const Site& site, const char* source, bool by_force) {
  const Internet from(source, 0), to(kOutside, site.echo_port);
  const int fd = datagram_socket();
  const int on = 1;
  if (by_force) ::setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  if (::bind(fd, from.get(), from.size()) != 0) return errno;
  if (::sendto(fd, "x", 1, 0, to.get(), to.size()) != 1) return errno;
  const std::string answer = answer_at(fd);
  return answer.empty() ? ETIMEDOUT : answer.starts_with(source) ? 0 : EADDRNOTAVAIL;
}
int pretend_to_be_loopback(const Site& site, const Inside&) { return pretend(site, "127.5.5.5", false); }
int pretend_to_be_neighbour(const Site& site, const Inside&) { return pretend(site, kNeighbour, false); }
int pretend_to_be_neighbour_by_force(const Site& site, const Inside&) {
  return pretend(site, kNeighbour, true);
}

}  // namespace

const std::vector<Attack>& attacks_on_datagrams() {
  // The bare layer has the machine's own network: what connect(2) does not see is not enforced there.
  static const std::vector<Attack> attacks = {
      {"speak to the machine's loopback", speak_to_loopback, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak to the machine's loopback as 127.9.8.7", speak_to_loopback_elsewhere, "ETIMEDOUT", "ETIMEDOUT",
       "done"},
      {"speak to the machine", speak_to_machine, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak to the machine by its mapped address", speak_to_machine_mapped, "ETIMEDOUT", "ETIMEDOUT",
       "done"},
      {"speak to the cloud's credentials", speak_to_credentials, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak to the resolver at another port", speak_to_resolver, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak to the machine by the inside's address", speak_to_machine_inside, "ETIMEDOUT", "ETIMEDOUT",
       "done"},
      {"speak past a connection by sendto", speak_past_by_sendto, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak past a connection by sendmsg", speak_past_by_sendmsg, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"speak past a connection by sendmmsg", speak_past_by_sendmmsg, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"hear a stranger", hear_a_stranger, "ETIMEDOUT", "ETIMEDOUT", "done"},
      {"pretend to be on loopback", pretend_to_be_loopback, "EINVAL|ETIMEDOUT", "EINVAL|ETIMEDOUT", "done"},
      {"pretend to be a neighbour", pretend_to_be_neighbour, "EADDRNOTAVAIL", "EADDRNOTAVAIL", "done"},
      {"pretend to be a neighbour by force", pretend_to_be_neighbour_by_force, "EINVAL|ENETUNREACH",
       "EINVAL|ENETUNREACH", "done"},
  };
  return attacks;
}

}  // namespace lambed::testing
