#include "cli/sandbox_probe.h"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>

namespace lambed::cli {
namespace {

// Kernel headers of Debian 12 may be older than the kernel: the numbers are the kernel's ABI and the same on all machines.
constexpr long kLandlockCreateRuleset = 444;
constexpr unsigned kLandlockVersion = 1;
constexpr long kPidfdOpen = 434;

// What `clone` flags a child process may unshare; errno of the refusal, or 0.
int refusal_of_namespaces(int flags) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0)
    ::_exit(::unshare(flags) == 0 ? 0 : errno);  // no exit handlers: this is a copy of the program
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

Mechanism namespaces() {
  Mechanism found{"user namespaces", "own file system, processes and network, without root", false, {}};
  const int refusal = refusal_of_namespaces(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
                                            CLONE_NEWUTS | CLONE_NEWNET);
  found.found = refusal == 0;
  found.detail = found.found
                     ? "user, mount, pid, ipc, uts and network"
                     : fmt::format(
                           "refused: {}; see the sysctls kernel.unprivileged_userns_clone, "
                           "kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces",
                           std::strerror(refusal));
  return found;
}

Mechanism landlock() {
  Mechanism found{"Landlock", "which files may be touched", false, {}};
  const long version = ::syscall(kLandlockCreateRuleset, nullptr, 0, kLandlockVersion);
  found.found = version > 0;
  found.detail = found.found ? fmt::format("ABI {}", version)
                             : fmt::format("{}; needs Linux 5.13 with landlock in the boot parameter lsm=",
                                           std::strerror(errno));
  return found;
}

Mechanism seccomp() {
  Mechanism found{"seccomp filters",
                  "which system calls may be made: no inbound TCP, no raw sockets, no ptrace",
                  false,
                  {}};
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  found.found = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  found.detail = found.found
                     ? "available"
                     : fmt::format("{}; the kernel needs CONFIG_SECCOMP_FILTER", std::strerror(errno));
  return found;
}

Mechanism pidfd() {
  Mechanism found{"pidfd", "ending a function's processes without mistaking another for one", false, {}};
  const long descriptor = ::syscall(kPidfdOpen, ::getpid(), 0);
  found.found = descriptor >= 0;
  if (found.found) ::close(static_cast<int>(descriptor));
  found.detail = found.found ? "available" : "needs Linux 5.3";
  return found;
}

struct CgroupMounts {
  std::string v2;           // mount point; empty: none
  std::string controllers;  // of v2
  std::string v1;           // "memory cpu pids" that are mounted as v1 and writable
};

CgroupMounts cgroup_mounts() {
  CgroupMounts found;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, kind, options;
    words >> device >> point >> kind >> options;
    if (kind == "cgroup2") {
      found.v2 = point;
      std::getline(std::ifstream(point + "/cgroup.controllers"), found.controllers);
    } else if (kind == "cgroup" && ::access(point.c_str(), W_OK) == 0) {
      for (const std::string controller : {"memory", "cpu", "pids", "freezer"}) {
        if (("," + options + ",").find("," + controller + ",") != std::string::npos) {
          found.v1 += (found.v1.empty() ? "" : " ") + controller;
        }
      }
    }
  }
  return found;
}

Mechanism cgroups() {
  Mechanism found{"control groups", "hard limits for memory, CPU share and number of processes", false, {}};
  const CgroupMounts mounts = cgroup_mounts();
  const bool v2_writable = !mounts.v2.empty() && ::access(mounts.v2.c_str(), W_OK) == 0;
  const bool v2_has_memory = mounts.controllers.find("memory") != std::string::npos;
  if (v2_writable && v2_has_memory) {
    found.found = true;
    found.detail = fmt::format("v2 at {} with {}", mounts.v2, mounts.controllers);
  } else if (mounts.v1.find("memory") != std::string::npos) {
    found.found = true;
    found.detail =
        fmt::format("v1: {}{}", mounts.v1, mounts.v2.empty() ? "" : "; v2 for freezing and ending groups");
  } else if (mounts.v2.empty() && mounts.v1.empty()) {
    found.detail =
        "none is mounted that this user may write; memory would be limited by RLIMIT_DATA and by watching";
  } else {
    found.detail = fmt::format(
        "{} gives this user no memory controller; ask for a delegated group, for example with "
        "`systemd-run --user --scope -p Delegate=yes`",
        mounts.v2.empty() ? "v1" : mounts.v2);
  }
  return found;
}

}  // namespace

std::vector<Mechanism> probe_sandbox() { return {namespaces(), cgroups(), seccomp(), landlock(), pidfd()}; }

}  // namespace lambed::cli
