#include "environments/sandbox/connector.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

constexpr int kNetworkCookie = 71;  // SO_NETNS_COOKIE, since Linux 5.14
constexpr int kTryAgain = 2;        // milliseconds

int option(const Descriptor& socket, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

std::uint64_t network_of(const Descriptor& socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(socket.get(), SOL_SOCKET, kNetworkCookie, &cookie, &size) == 0 ? cookie : 0;
}

bool blocks(const Descriptor& socket) { return (::fcntl(socket.get(), F_GETFL) & O_NONBLOCK) == 0; }

void set_blocking(const Descriptor& socket, bool blocking) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  ::fcntl(socket.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

// What callers set before they connect and expect to find afterwards.
void copy_options(const Descriptor& from, const Descriptor& to) {
  const std::pair<int, int> numbers[] = {{SOL_SOCKET, SO_KEEPALIVE},     {SOL_SOCKET, SO_OOBINLINE},
                                         {IPPROTO_TCP, TCP_NODELAY},     {IPPROTO_TCP, TCP_KEEPIDLE},
                                         {IPPROTO_TCP, TCP_KEEPINTVL},   {IPPROTO_TCP, TCP_KEEPCNT},
                                         {IPPROTO_TCP, TCP_USER_TIMEOUT}};
  for (const auto& number : numbers) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(from.get(), number.first, number.second, &value, &size) == 0)
      ::setsockopt(to.get(), number.first, number.second, &value, size);
  }
  for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    timeval value{};
    socklen_t size = sizeof value;
    if (::getsockopt(from.get(), SOL_SOCKET, name, &value, &size) == 0)
      ::setsockopt(to.get(), SOL_SOCKET, name, &value, size);
  }
}

// SIGALRM's only duty is to interrupt a call.
void ignore_alarm(int) {}

}  // namespace

Connector::Connector(Descriptor listener, Rules rules, const Egress& egress)
    : listener_(std::move(listener)), rules_(std::move(rules)), egress_(egress) {
  const Descriptor any(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (any.is_open()) machine_ = network_of(any);
  struct sigaction wake {};
  wake.sa_handler = ignore_alarm;
  ::sigaction(SIGALRM, &wake, nullptr);
  sigset_t alarm;
  ::sigemptyset(&alarm);
  ::sigaddset(&alarm, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
}

void Connector::add_to(std::vector<pollfd>& polled) const {
  polled.push_back({listener_.get(), POLLIN, 0});
  for (const Pending& pending : pending_) {
    if (!pending.tries_again) polled.push_back({pending.socket.get(), POLLOUT, 0});
  }
}

int Connector::patience() const {
  int result = pending_.empty() ? -1 : 1000;  // callers that are gone are looked for now and then
  for (const Pending& pending : pending_) {
    if (pending.tries_again) result = kTryAgain;
  }
  return result;
}

void Connector::serve() {
  pollfd calls{listener_.get(), POLLIN, 0};
  if (::poll(&calls, 1, 0) > 0 && (calls.revents & POLLIN) != 0) receive();
  for (std::size_t i = 0; i < pending_.size();) {
    if (finish(pending_[i])) {
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void Connector::receive() {
  // The kernel's struct may be longer than ours; it wants zeros.
  alignas(seccomp_notif) char space[512] = {};
  // When the caller was killed since poll() spoke, the call below would wait for the next one; the alarm ends that.
  const itimerval soon{{0, 20'000}, {0, 20'000}}, never{};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  const int result = ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, space);
  ::setitimer(ITIMER_REAL, &never, nullptr);
  if (result != 0) return;
  const auto& call = *reinterpret_cast<const seccomp_notif*>(space);
  if (call.data.nr == SYS_listen) {
    listen(call);
  } else {
    connect(call);
  }
}

void Connector::answer(std::uint64_t id, int error) {
  alignas(seccomp_notif_resp) char space[512] = {};
  auto& response = *reinterpret_cast<seccomp_notif_resp*>(space);
  response.id = id;
  response.error = -error;
  ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, space);  // ENOENT: the caller is gone
}

bool Connector::is_waited_for(std::uint64_t id) const {
  return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

Descriptor Connector::socket_of(pid_t thread, int number, int& error) const {
  const auto process =
      static_cast<pid_t>(number_after(text_of_file(fmt::format("/proc/{}/status", thread)), "Tgid"));
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  Descriptor socket(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
  error = socket.is_open() ? 0 : errno == EBADF ? EBADF : EPERM;
  return socket;
}

bool Connector::is_of_machine(const Descriptor& socket) const {
  // An old kernel that cannot tell: what cannot be told apart is taken for the machine's.
  return machine_ == 0 || network_of(socket) == machine_;
}

void Connector::listen(const seccomp_notif& call) {
  int error = 0;
  const Descriptor theirs =
      socket_of(static_cast<pid_t>(call.pid), static_cast<int>(call.data.args[0]), error);
  if (error == 0 && option(theirs, SO_DOMAIN) != AF_UNIX && is_of_machine(theirs)) error = EPERM;
  if (error == 0 && is_waited_for(call.id) &&
      ::listen(theirs.get(), static_cast<int>(call.data.args[1])) != 0)
    error = errno;
  answer(call.id, error);
}

void Connector::connect(const seccomp_notif& call) {
  const auto thread = static_cast<pid_t>(call.pid);
  int error = 0;
  Descriptor theirs = socket_of(thread, static_cast<int>(call.data.args[0]), error);
  if (error != 0) return answer(call.id, error);
  Address address{};
  const auto size = static_cast<std::uint32_t>(call.data.args[2]);
  if (size < sizeof(sa_family_t) || size > sizeof address.storage) return answer(call.id, EINVAL);
  address.size = size;
  const iovec here{&address.storage, size};
  const iovec there{reinterpret_cast<void*>(call.data.args[1]), size};
  if (::process_vm_readv(thread, &here, 1, &there, 1, 0) != static_cast<ssize_t>(size))
    return answer(call.id, EFAULT);
  // Only now is it sure that the thread we looked at is the caller and not one that got its number later.
  if (!is_waited_for(call.id)) return;

  const int domain = option(theirs, SO_DOMAIN);
  const int type = option(theirs, SO_TYPE);
  if (domain == AF_UNIX) return connect_here(call, std::move(theirs), address);
  const bool internet = address.family() == AF_INET || address.family() == AF_INET6;
  if (internet && size < (address.family() == AF_INET ? sizeof(sockaddr_in) : std::size_t{24}))
    return answer(call.id, EINVAL);
  if (!rules_.own_network) {
    if (internet) error = egress_.direct(address.storage, type);
    if (error != 0) return answer(call.id, error);
    return connect_here(call, std::move(theirs), address);
  }
  const bool of_machine = is_of_machine(theirs);
  if (!internet || type != SOCK_STREAM) {
    // Its datagrams would be refused one by one, and it would hear that late or never.
    Address checked = address;
    if (internet && !of_machine && !egress_.stays_inside(checked.storage))
      error = egress_.direct(checked.storage, type);
    if (error != 0) return answer(call.id, error);
    // AF_UNSPEC undoes a connection: then the socket could be bound or connected by other ways.
    return of_machine ? answer(call.id, EPERM) : connect_here(call, std::move(theirs), address);
  }
  if (!of_machine && domain != address.family()) return answer(call.id, EAFNOSUPPORT);
  if (!of_machine && egress_.stays_inside(address.storage))
    return connect_here(call, std::move(theirs), address);
  error = egress_.direct(address.storage, type);
  if (error != 0) return answer(call.id, error);
  address.size = address.family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  // One that was put in place before: callers ask again whether a connection has been made.
  if (of_machine) return connect_here(call, std::move(theirs), address);
  connect_out(call, theirs, address);
}

int Connector::replace(std::uint64_t id, pid_t thread, int number, const Descriptor& socket) const {
  seccomp_notif_addfd wanted{};
  wanted.id = id;
  wanted.flags = SECCOMP_ADDFD_FLAG_SETFD;
  wanted.srcfd = static_cast<std::uint32_t>(socket.get());
  wanted.newfd = static_cast<std::uint32_t>(number);
  const std::string state = text_of_file(fmt::format("/proc/{}/fdinfo/{}", thread, number));
  const std::size_t flags_at = state.find("flags:\t");
  unsigned flags = 0;
  if (flags_at != std::string::npos)
    std::from_chars(state.data() + flags_at + 7, state.data() + state.size(), flags, 8);
  wanted.newfd_flags = flags & O_CLOEXEC;
  return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &wanted) >= 0 ? 0 : errno;
}

void Connector::connect_out(const seccomp_notif& call, const Descriptor& theirs, const Address& address) {
  const bool blocking = blocks(theirs);
  Pending pending{call.id, static_cast<pid_t>(call.pid), static_cast<int>(call.data.args[0]),
                  // A name server that the environment knows by an address of IPv4 may have one of IPv6.
                  Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), true,
                  false, blocking, address};
  if (!pending.socket.is_open()) return answer(call.id, errno);
  copy_options(theirs, pending.socket);
  if (::connect(pending.socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
    return answer(call.id, errno);
  if (!blocking) {
    // The caller waits by poll(2) for the socket that it now has.
    const int error = replace(call.id, pending.thread, pending.number, pending.socket);
    return answer(call.id, error != 0 ? error : EINPROGRESS);
  }
  pending_.push_back(std::move(pending));
}

int Connector::connect_unix(const seccomp_notif& call, const Descriptor& theirs, const Address& address) {
  const auto& name = reinterpret_cast<const sockaddr_un&>(address.storage);
  const std::size_t length = address.size - offsetof(sockaddr_un, sun_path);
  const std::string cwd = fmt::format("/proc/{}/cwd", call.pid);
  if (rules_.unix_sockets_in.empty()) {
    // The caller's files are ours as well, except for what its path starts from.
    if (::chdir(cwd.c_str()) != 0) return EACCES;
    const int result = ::connect(theirs.get(), address.get(), address.size) == 0 ? 0 : errno;
    return ::chdir("/") == 0 ? result : EACCES;
  }
  if (address.family() != AF_UNIX || length == 0 || name.sun_path[0] == 0) return EPERM;
  std::string path(name.sun_path, ::strnlen(name.sun_path, length));
  if (path.front() != '/') {
    char folder[4096];
    const ssize_t size = ::readlink(cwd.c_str(), folder, sizeof folder);
    if (size <= 0) return EACCES;
    path = std::string(folder, static_cast<std::size_t>(size)) + "/" + path;
  }
  if (!path.starts_with(rules_.unix_sockets_in + "/")) return EPERM;
  path.erase(0, rules_.unix_sockets_in.size() + 1);
  const Descriptor root(::open(rules_.unix_sockets_in.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const Descriptor file(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  if (!file.is_open()) return errno == EXDEV || errno == ELOOP ? EPERM : errno;
  sockaddr_un exact{};
  exact.sun_family = AF_UNIX;
  const std::string by_descriptor = fmt::format("/proc/self/fd/{}", file.get());
  std::strncpy(exact.sun_path, by_descriptor.c_str(), sizeof exact.sun_path - 1);
  return ::connect(theirs.get(), reinterpret_cast<const sockaddr*>(&exact), sizeof exact) == 0 ? 0 : errno;
}

void Connector::connect_here(const seccomp_notif& call, Descriptor theirs, const Address& address) {
  const bool local = option(theirs, SO_DOMAIN) == AF_UNIX;
  const bool blocking = blocks(theirs);
  if (blocking) set_blocking(theirs, false);
  const bool may_go_out = rules_.own_network && rules_.host_loopback && !local && !is_of_machine(theirs);
  int error = local ? connect_unix(call, theirs, address)
              : ::connect(theirs.get(), address.get(), address.size) == 0 ? 0
                                                                          : errno;
  // On a loopback the refusal has come by the time that connect() returns, though it does not say so.
  if (error == EINPROGRESS && may_go_out && option(theirs, SO_ERROR) == ECONNREFUSED) error = ECONNREFUSED;
  if (blocking && (error == EINPROGRESS || error == EAGAIN)) {
    pending_.push_back({call.id, static_cast<pid_t>(call.pid), static_cast<int>(call.data.args[0]),
                        std::move(theirs), false, local, true, address});
    return;
  }
  if (blocking) set_blocking(theirs, true);
  // With the machine's loopback allowed: what does not listen here may listen there.
  if (error == ECONNREFUSED && may_go_out) {
    Address there = address;
    const int refused = egress_.direct(there.storage, option(theirs, SO_TYPE));
    return refused != 0 ? answer(call.id, refused) : connect_out(call, theirs, there);
  }
  answer(call.id, error);
}

bool Connector::finish(Pending& pending) {
  if (!is_waited_for(pending.id)) {
    if (!pending.replaces) set_blocking(pending.socket, true);
    return true;
  }
  int error = 0;
  if (pending.tries_again) {
    seccomp_notif call{};
    call.id = pending.id;
    call.pid = static_cast<std::uint32_t>(pending.thread);
    error = connect_unix(call, pending.socket, pending.address);
    if (error == EAGAIN) return false;
  } else {
    pollfd polled{pending.socket.get(), POLLOUT, 0};
    if (::poll(&polled, 1, 0) <= 0) return false;
    error = option(pending.socket, SO_ERROR);
  }
  if (pending.blocking) set_blocking(pending.socket, true);
  if (error == 0 && pending.replaces)
    error = replace(pending.id, pending.thread, pending.number, pending.socket);
  answer(pending.id, error);
  return true;
}

}  // namespace lambed::sandbox
