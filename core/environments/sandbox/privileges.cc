#include "environments/sandbox/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace lambed::sandbox {

int become(uid_t uid, gid_t gid, bool keeps_groups) {
  // EPERM: a user namespace made without privileges, where groups cannot be changed; they map to nobody there.
  if (!keeps_groups && ::setgroups(0, nullptr) != 0 && errno != EPERM) return errno;
  if (::setresgid(gid, gid, gid) != 0) return errno;
  if (::setresuid(uid, uid, uid) != 0) return errno;
  return 0;
}

int drop_bounding_set() {
  for (int capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability) == 0) continue;
    if (errno == EINVAL) break;  // the kernel knows no more
    // EPERM: one that has no right to, and so nothing to lose but by a set-uid program, which no_new_privs rules out.
    if (errno != EPERM) return errno;
  }
  return 0;
}

int drop_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return errno;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return errno;
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

namespace {

int set_limit(__rlimit_resource resource, rlim_t value) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return errno;
  // One that was not root cannot go above what it was given.
  if (now.rlim_max != RLIM_INFINITY) value = std::min(value, now.rlim_max);
  const rlimit wanted{value, value};
  return ::setrlimit(resource, &wanted) == 0 ? 0 : errno;
}

}  // namespace

int limit_resources(const ResourceLimits& wanted) {
  if (const int error = set_limit(RLIMIT_CORE, 0)) return error;
  if (const int error = set_limit(RLIMIT_NOFILE, static_cast<rlim_t>(wanted.limits.descriptors)))
    return error;
  if (const int error = set_limit(RLIMIT_MSGQUEUE, 819'200)) return error;
  if (wanted.counts_processes) {
    if (const int error = set_limit(RLIMIT_NPROC, static_cast<rlim_t>(wanted.limits.processes) + 1))
      return error;
  }
  if (wanted.limits_memory) {
    // Not RLIMIT_AS: V8 and others reserve far more addresses than they use.
    if (const int error = set_limit(RLIMIT_DATA, wanted.limits.memory_bytes)) return error;
    if (const int error = set_limit(RLIMIT_FSIZE, wanted.limits.tmp_bytes)) return error;
  }
  return 0;
}

void close_all_but(std::vector<int> keep) {
  keep.push_back(2);
  std::sort(keep.begin(), keep.end());
  keep.erase(std::unique(keep.begin(), keep.end()), keep.end());
  unsigned from = 3;
  for (const int fd : keep) {
    if (fd < 3) continue;
    const auto at = static_cast<unsigned>(fd);
    if (at > from) ::close_range(from, at - 1, 0);
    from = at + 1;
  }
  ::close_range(from, ~0U, 0);
}

}  // namespace lambed::sandbox
