#include "sandbox/servers.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "sandbox/internet.h"
#include "sandbox/stage.h"

namespace lambed::testing {
namespace {

int bound(const char* address, int port, int type) {
  const Internet here(address, port);
  const int fd = ::socket(here.family(), type | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int room = 1 << 22;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  return ::bind(fd, here.get(), here.size()) == 0 ? fd : -1;
}

// True in the child.
bool in_child() {
  if (::fork() != 0) return false;
  become_nobody();  // else one that starts it and becomes nobody itself has not the right to end it
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return true;
}

void echo(int fd, int other) {
  for (;;) {
    static char text[70'000];
    sockaddr_in from{};
    iovec piece{text + 64, sizeof text - 64};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))] = {};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd, &message, 0);
    if (size < 0) continue;
    auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(CMSG_FIRSTHDR(&message)));
    info->ipi_spec_dst = info->ipi_addr;
    info->ipi_ifindex = 0;
    const bool strange = size >= 8 && std::memcmp(text + 64, "stranger", 8) == 0;
    std::string answer = std::string(inet_ntoa(from.sin_addr)) + " ";
    answer.append(text + 64, static_cast<std::size_t>(size));
    if (size > 60'000) answer.resize(static_cast<std::size_t>(size));  // as long as can be
    piece = {answer.data(), answer.size()};
    (void)!::sendmsg(strange ? other : fd, &message, 0);
  }
}

// RFC 1035, for one question.
std::string answer_to(const std::string& query) {
  if (query.size() < 17) return {};
  std::size_t at = 12;
  std::string name;
  while (at < query.size() && query[at] != 0) {
    name += query.substr(at + 1, static_cast<std::size_t>(query[at])) + ".";
    at += static_cast<std::size_t>(query[at]) + 1;
  }
  if (at + 5 > query.size()) return {};
  const bool is_known = name == "name.test.";
  const bool wants_address = query[at + 1] == 0 && query[at + 2] == 1;
  std::string answer = query.substr(0, at + 5);
  answer[2] = static_cast<char>(0x84 | (query[2] & 1));
  answer[3] = static_cast<char>(0x80 | (is_known ? 0 : 3));
  answer[6] = 0;
  answer[7] = is_known && wants_address ? 1 : 0;
  for (int i = 8; i < 12; ++i) answer[static_cast<std::size_t>(i)] = 0;
  if (is_known && wants_address)
    answer += std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x4d", 16);
  return answer;
}

void serve_names(int datagrams, int streams) {
  for (;;) {
    pollfd polled[2] = {{datagrams, POLLIN, 0}, {streams, POLLIN, 0}};
    if (::poll(polled, 2, -1) <= 0) continue;
    char text[4096];
    if (polled[0].revents != 0) {
      sockaddr_storage from{};
      socklen_t length = sizeof from;
      const ssize_t size =
          ::recvfrom(datagrams, text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (size <= 0) continue;
      const std::string answer = answer_to({text, static_cast<std::size_t>(size)});
      (void)!::sendto(datagrams, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
    if (polled[1].revents != 0) {
      const int fd = ::accept(streams, nullptr, nullptr);
      std::string waiting;  // each message behind its size; several may come at once
      for (ssize_t size; (size = ::recv(fd, text, sizeof text, 0)) > 0;) {
        waiting.append(text, static_cast<std::size_t>(size));
        while (waiting.size() >= 2) {
          const std::size_t length = static_cast<unsigned char>(waiting[0]) * std::size_t{256} +
                                     static_cast<unsigned char>(waiting[1]);
          if (waiting.size() < 2 + length) break;
          const std::string answer = answer_to(waiting.substr(2, length));
          waiting.erase(0, 2 + length);
          const std::string framed =
              std::string{static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size())} + answer;
          (void)!::send(fd, framed.data(), framed.size(), MSG_NOSIGNAL);
        }
      }
      ::close(fd);
    }
  }
}

}  // namespace

bool start_echo(int port) {
  const int fd = bound("0.0.0.0", port, SOCK_DGRAM), other = bound("0.0.0.0", 0, SOCK_DGRAM);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
  if (fd < 0 || other < 0) return false;
  if (in_child()) echo(fd, other);
  ::close(fd);
  ::close(other);
  return true;
}

bool start_name_server(const char* address) {
  const int datagrams = bound(address, 53, SOCK_DGRAM), streams = bound(address, 53, SOCK_STREAM);
  if (datagrams < 0 || streams < 0 || ::listen(streams, 16) != 0) return false;
  if (in_child()) serve_names(datagrams, streams);
  ::close(datagrams);
  ::close(streams);
  return true;
}

}  // namespace lambed::testing
