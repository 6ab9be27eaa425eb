#include "environments/sandbox/users.h"

#include <fmt/format.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

// AWS's own number of the user that functions run as.
constexpr uid_t kUserInside = 993;
constexpr gid_t kGroupInside = 990;
// Above everything that distributions hand out, for containers too; an environment's user is this plus its init's pid.
constexpr uid_t kFirstUser = 1'880'000'000;
constexpr uid_t kFirstUserOfSmallMap = 50'000;
constexpr pid_t kMostPids = 1 << 22;
constexpr pid_t kUsersOfSmallMap = 8192;

// Inside a container's user namespace only some numbers exist.
bool has_users_from(uid_t first) {
  std::istringstream lines(text_of_file("/proc/self/uid_map"));
  for (unsigned long long inside = 0, outside = 0, count = 0; lines >> inside >> outside >> count;) {
    if (inside <= first && first + static_cast<unsigned long long>(kMostPids) <= inside + count) return true;
  }
  return false;
}

}  // namespace

Users::Users(Layer layer)
    : layer_(layer), first_(has_users_from(kFirstUser) ? kFirstUser : kFirstUserOfSmallMap) {}

pid_t Users::part_of(pid_t init) const { return first_ == kFirstUser ? init : init % kUsersOfSmallMap; }

uid_t Users::uid(int environment) const {
  if (layer_ == Layer::kUserNamespace) return kUserInside;
  if (is_root_layer(layer_)) return first_;
  // Without a pid namespace the number of init is not known before it runs.
  return first_ + static_cast<uid_t>((::getpid() + environment) %
                                     (first_ == kFirstUser ? kMostPids : kUsersOfSmallMap));
}

gid_t Users::gid(int environment) const {
  return layer_ == Layer::kUserNamespace ? kGroupInside : uid(environment);
}

Result<void> Users::map(pid_t init) const {
  const bool root = ::geteuid() == 0;
  const uid_t uid = root ? first_ + static_cast<uid_t>(part_of(init)) : ::geteuid();
  const gid_t gid = root ? uid : ::getegid();
  const std::string folder = fmt::format("/proc/{}", init);
  if (!root) {
    if (const int error = write_to(folder + "/setgroups", "deny"); error != 0)
      return system_error("Could not set the groups of a user namespace", error);
  }
  if (const int error = write_to(folder + "/uid_map", fmt::format("{} {} 1", kUserInside, uid)); error != 0)
    return system_error("Could not map the user of a user namespace", error);
  if (const int error = write_to(folder + "/gid_map", fmt::format("{} {} 1", kGroupInside, gid)); error != 0)
    return system_error("Could not map the group of a user namespace", error);
  return {};
}

}  // namespace lambed::sandbox
