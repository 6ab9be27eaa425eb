#include "environments/sandbox/messages.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace lambed::sandbox {
namespace {

constexpr std::size_t kMostDescriptors = 4;

union ControlSpace {
  char bytes[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  cmsghdr aligned;
};

}  // namespace

int send_message(int socket, const void* bytes, std::size_t size, const std::vector<int>& descriptors) {
  iovec piece{const_cast<void*>(bytes), size};  // sendmsg only reads; its struct knows no const
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  ControlSpace space{};
  if (!descriptors.empty()) {
    message.msg_control = space.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * descriptors.size());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

ssize_t receive_message(int socket, void* bytes, std::size_t size, std::vector<Descriptor>* descriptors,
                        bool wait) {
  iovec piece{bytes, size};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  ControlSpace space{};
  message.msg_control = space.bytes;
  message.msg_controllen = sizeof space.bytes;
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return got;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      Descriptor owned(fd);
      if (descriptors != nullptr) descriptors->push_back(std::move(owned));
    }
  }
  return got;
}

}  // namespace lambed::sandbox
