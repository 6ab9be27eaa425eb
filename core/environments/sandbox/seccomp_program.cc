#include "environments/sandbox/seccomp_program.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "environments/sandbox/posix.h"
#include "environments/sandbox/system_calls.h"

namespace lambed::sandbox {
namespace {

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

constexpr std::uint64_t kLow32 =
    0xffffffff;  // the kernel looks at 32 bits of an int; the rest may hold anything
constexpr std::uint64_t kSocketType = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK
constexpr std::uint64_t kNewNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                         CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                                         0x80 /* CLONE_NEWTIME */;

// Adds rules; remembers the first failure.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}
  int error() const { return error_; }

  void all(std::uint32_t action, const char* const* names, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) add(action, names[i], {});
  }
  void add(std::uint32_t action, const char* name, const std::vector<scmp_arg_cmp>& conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number < 0) return;  // not of this architecture, or newer than the library: stays refused
    const int result = seccomp_rule_add_exact_array(
        context_, action, number, static_cast<unsigned>(conditions.size()), conditions.data());
    if (result < 0 && error_ == 0) error_ = -result;
  }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

scmp_arg_cmp bits(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

void allow_sockets(Rules& rules) {
  rules.add(SCMP_ACT_ALLOW, "socket", {bits(0, kLow32, AF_UNIX)});
  for (std::uint64_t family = 0; family < 64; ++family) {
    if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
      rules.add(SCMP_ACT_ERRNO(EPERM), "socket", {bits(0, kLow32, family)});
  }
  rules.add(SCMP_ACT_ALLOW, "socketpair", {bits(0, kLow32, AF_UNIX)});
  for (const std::uint64_t family : {std::uint64_t{AF_INET}, std::uint64_t{AF_INET6}}) {
    // Protocol 0 is the type's own; MPTCP, SCTP, ping and UDP-Lite sockets have others.
    for (const std::uint64_t protocol : {std::uint64_t{0}, std::uint64_t{6}})
      rules.add(SCMP_ACT_ALLOW, "socket",
                {bits(0, kLow32, family), bits(1, kSocketType, SOCK_STREAM), bits(2, kLow32, protocol)});
    for (const std::uint64_t protocol : {std::uint64_t{0}, std::uint64_t{17}})
      rules.add(SCMP_ACT_ALLOW, "socket",
                {bits(0, kLow32, family), bits(1, kSocketType, SOCK_DGRAM), bits(2, kLow32, protocol)});
    rules.add(SCMP_ACT_ERRNO(EPERM), "socket", {bits(0, kLow32, family), bits(1, kSocketType, SOCK_RAW)});
  }
}

void allow_opening(Rules& rules, const SeccompChoice& choice) {
  if (!choice.refuse_unchecked_truncation) {
    for (const char* name : {"open", "openat", "openat2", "truncate"}) rules.add(SCMP_ACT_ALLOW, name, {});
    return;
  }
  // openat2 keeps its flags in memory, where a filter cannot look, and answers ENOSYS as older kernels do.
  rules.add(SCMP_ACT_ERRNO(EPERM), "truncate", {});
  struct {
    const char* name;
    unsigned flags;
  } const opening[] = {{"open", 1}, {"openat", 2}};
  for (const auto& call : opening) {
    rules.add(SCMP_ACT_ALLOW, call.name, {bits(call.flags, O_TRUNC, 0)});
    for (const unsigned way :
         {unsigned{O_RDONLY}, unsigned{O_WRONLY}, unsigned{O_RDWR}, unsigned{O_ACCMODE}}) {
      // With writing Landlock looks. The fourth way is for ioctl alone, and Landlock asks nothing of it.
      const bool is_checked = way == O_WRONLY || way == O_RDWR;
      rules.add(is_checked ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), call.name,
                {bits(call.flags, O_TRUNC | O_ACCMODE, unsigned{O_TRUNC} | way)});
    }
  }
}

void allow_connections(Rules& rules, const SeccompChoice& choice) {
  rules.add(choice.supervise_connections ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW, "connect", {});
  const std::uint32_t listening = choice.shares_the_machine      ? SCMP_ACT_ERRNO(EPERM)
                                  : choice.supervise_connections ? SCMP_ACT_NOTIFY
                                                                 : SCMP_ACT_ALLOW;
  rules.add(listening, "listen", {});
  for (const char* name : {"accept", "accept4"})
    rules.add(choice.shares_the_machine ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW, name, {});
  // MSG_FASTOPEN would connect without connect(2).
  struct {
    const char* name;
    unsigned flags;
  } const sending[] = {{"sendto", 3}, {"sendmsg", 2}, {"sendmmsg", 3}};
  for (const auto& call : sending) {
    rules.add(SCMP_ACT_ALLOW, call.name, {bits(call.flags, MSG_FASTOPEN, 0)});
    rules.add(SCMP_ACT_ERRNO(EPERM), call.name, {bits(call.flags, MSG_FASTOPEN, MSG_FASTOPEN)});
  }
}

void allow_processes(Rules& rules, const SeccompChoice& choice) {
  // Of the caller itself only: a process of the same user would obey, and init is one.
  rules.add(SCMP_ACT_ALLOW, "prlimit64", {bits(0, kLow32, 0)});
  for (unsigned bit = 0; bit < 32; ++bit)
    rules.add(SCMP_ACT_ERRNO(EPERM), "prlimit64", {bits(0, 1ULL << bit, 1ULL << bit)});
  for (const ProcessCall& call : kProcessCalls) {
    if (!choice.shares_the_machine) {
      rules.add(SCMP_ACT_ALLOW, call.name, {});
      continue;
    }
    rules.add(SCMP_ACT_ALLOW, call.name, {bits(call.process, kLow32, 0)});
    for (unsigned bit = 0; bit < 32; ++bit)
      rules.add(SCMP_ACT_ERRNO(EPERM), call.name, {bits(call.process, 1ULL << bit, 1ULL << bit)});
  }
  // A second listener for supervised calls could let them through; the kernel refuses one as well.
  rules.add(SCMP_ACT_ALLOW, "seccomp", {bits(1, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0)});

  // clone3 keeps its flags in memory, where a filter cannot look: glibc then falls back to clone.
  rules.add(SCMP_ACT_ALLOW, "clone", {bits(0, kNewNamespaces, 0)});
  for (std::uint64_t bit = 1; bit <= kNewNamespaces; bit <<= 1) {
    if ((kNewNamespaces & bit) != 0) rules.add(SCMP_ACT_ERRNO(EPERM), "clone", {bits(0, bit, bit)});
  }
  // personality: what it is, and the plain one. Others weaken the address space.
  rules.add(SCMP_ACT_ALLOW, "personality", {bits(0, kLow32, 0)});
  rules.add(SCMP_ACT_ALLOW, "personality", {bits(0, kLow32, kLow32)});
}

}  // namespace

Result<SeccompProgram> SeccompProgram::compile(const SeccompChoice& choice) {
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> context(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)),
                                                                 seccomp_release);
  if (!context) return system_error("Could not begin the seccomp filter", ENOMEM);
  seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree: there are some 300 rules
  Rules rules(context.get());
  rules.all(SCMP_ACT_ALLOW, kAllowedCalls, std::size(kAllowedCalls));
  rules.all(SCMP_ACT_ERRNO(EPERM), kRefusedCalls, std::size(kRefusedCalls));
  for (const char* name : {"memfd_create", "shmget"})
    rules.add(choice.refuse_unseen_memory ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW, name, {});
  allow_opening(rules, choice);
  allow_sockets(rules);
  allow_connections(rules, choice);
  allow_processes(rules, choice);
  rules.all(choice.shares_the_machine ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW, kSharedObjectCalls,
            std::size(kSharedObjectCalls));
  if (rules.error() != 0) return system_error("Could not write the seccomp filter", rules.error());

  const Descriptor file(::memfd_create("lambed-seccomp", MFD_CLOEXEC));
  if (!file.is_open()) return system_error("Could not make room for the seccomp filter", errno);
  if (const int result = seccomp_export_bpf(context.get(), file.get()); result < 0)
    return system_error("Could not compile the seccomp filter", -result);
  struct stat size {};
  if (::fstat(file.get(), &size) != 0) return system_error("Could not read the seccomp filter", errno);
  SeccompProgram result;
  result.program_.resize(static_cast<std::size_t>(size.st_size) / sizeof(sock_filter));
  if (::pread(file.get(), result.program_.data(), static_cast<std::size_t>(size.st_size), 0) != size.st_size)
    return system_error("Could not read the seccomp filter", errno);
  result.listens_ = choice.supervise_connections;
  return result;
}

int SeccompProgram::install() const {
  sock_fprog program{};
  program.len = static_cast<unsigned short>(program_.size());
  program.filter =
      const_cast<sock_filter*>(program_.data());  // the kernel's struct knows no const; it only reads
  if (!listens_) {
    const long done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    if (done == 0) errno = 0;
    return -1;
  }
  // Signals must not interrupt a connection that is being made: the caller would see EINTR and the connection both.
  long listener =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
  if (listener < 0 && errno == EINVAL)  // before Linux 5.19
    listener = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener >= 0) errno = 0;
  return static_cast<int>(listener);
}

}  // namespace lambed::sandbox
