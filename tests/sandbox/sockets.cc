#include "sandbox/sockets.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "sandbox/attack.h"

namespace lambed::testing {
namespace {

constexpr int kPatience = 400;

}  // namespace

int connect_tcp(const std::string& address, int port, int flags) {
  const Internet to(address.c_str(), port);
  const int fd = ::socket(to.family(), SOCK_STREAM | flags, 0);
  if (fd < 0) return errno;
  const int error = outcome(::connect(fd, to.get(), to.size()));
  ::close(fd);
  return error == EINPROGRESS ? 0 : error;
}

int connect_anew(const Internet& first, const Internet& second) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (::connect(fd, first.get(), first.size()) != 0) return EHOSTUNREACH;
  const sockaddr nowhere{AF_UNSPEC, {}};
  const int undone = outcome(::connect(fd, &nowhere, sizeof nowhere));
  if (::connect(fd, second.get(), second.size()) != 0) return undone != 0 ? undone : errno;
  return 0;
}

int datagram_socket(int family) { return ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

std::string answer_at(int fd) {
  pollfd polled{fd, POLLIN, 0};
  char text[256];
  if (::poll(&polled, 1, kPatience) <= 0) return errno = ETIMEDOUT, std::string();
  const ssize_t size = ::recv(fd, text, sizeof text, 0);
  return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

int heard(int fd) {
  errno = ETIMEDOUT;
  return answer_at(fd).empty() ? errno : 0;
}

int speak_to(const std::string& address, int port) {
  const Internet to(address.c_str(), port);
  const int fd = datagram_socket(to.family());
  if (::sendto(fd, "x", 1, 0, to.get(), to.size()) != 1) return errno;
  return heard(fd);
}

msghdr message_to(const Internet& to, iovec& piece) {
  static char byte[1];
  piece = {byte, 1};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.get());
  message.msg_namelen = to.size();
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return message;
}

}  // namespace lambed::testing
