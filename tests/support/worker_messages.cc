#include "support/worker_messages.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace lambed::testing {

bool send_frame(int socket, const nlohmann::json& message) {
  const std::string body = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  bytes += body;
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

bool FrameReader::read_some(int socket) {
  bytes_.erase(0, begin_);
  begin_ = 0;
  char buffer[65536];
  ssize_t count = 0;
  do count = read(socket, buffer, sizeof buffer);
  while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  bytes_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::optional<nlohmann::json> FrameReader::next() {
  std::uint32_t size = 0;
  if (bytes_.size() - begin_ < sizeof size) return std::nullopt;
  std::memcpy(&size, bytes_.data() + begin_, sizeof size);
  if (bytes_.size() - begin_ < sizeof size + size) return std::nullopt;
  const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(begin_ + sizeof size);
  begin_ += sizeof size + size;
  return nlohmann::json::parse(first, first + static_cast<std::ptrdiff_t>(size));
}

namespace {
constexpr int kMostDescriptors = 4;
}

bool send_request(int socket, const DriverRequest& request, const int* descriptors, int count) {
  iovec piece = {const_cast<DriverRequest*>(&request), sizeof request};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (count > 0) {
    const std::size_t size = static_cast<std::size_t>(count) * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors, size);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof request);
}

bool receive_request(int socket, DriverRequest& request, int* descriptors, int count) {
  iovec piece = {&request, sizeof request};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof request)) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS)
    std::memcpy(descriptors, CMSG_DATA(header), static_cast<std::size_t>(count) * sizeof(int));
  return true;
}

}  // namespace lambed::testing
