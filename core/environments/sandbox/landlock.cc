#include "environments/sandbox/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

// As the kernel's documentation has them: Debian 12's headers know less than newer kernels do.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr int kRulePathBeneath = 1;
constexpr unsigned kAskVersion = 1;

struct Ruleset {
  std::uint64_t handled_files;
  std::uint64_t handled_network;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed;
  std::int32_t parent;
};

constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadFolder = 1 << 3,
                        kMakeCharacterDevice = 1 << 6, kMakeBlockDevice = 1 << 11, kRefer = 1 << 13,
                        kTruncate = 1 << 14, kDeviceIoctl = 1 << 15;
constexpr std::uint64_t kAllOfVersion1 = (1 << 13) - 1;
constexpr std::uint64_t kScopes = 3;  // abstract Unix sockets, signals

std::uint64_t files_of_version(int version) {
  std::uint64_t rights = kAllOfVersion1;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceIoctl;
  return rights;
}

int add(int ruleset, const std::string& path, std::uint64_t rights) {
  const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place.is_open()) return errno == ENOENT || errno == EACCES ? 0 : errno;
  struct stat found {};
  if (::fstat(place.get(), &found) != 0) return errno;
  if (!S_ISDIR(found.st_mode)) rights &= kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
  const PathBeneath rule{rights, place.get()};
  return ::syscall(kAddRule, ruleset, kRulePathBeneath, &rule, 0) == 0 ? 0 : errno;
}

}  // namespace

int landlock_version() {
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

int restrict_files(const FileAccess& access) {
  const int version = landlock_version();
  if (version == 0) return ENOSYS;
  const std::uint64_t handled = files_of_version(version);
  const Ruleset wanted{handled, 0, version >= 6 ? kScopes : 0};
  // Older kernels refuse a struct that is longer than theirs, unless the rest is zero.
  const Descriptor ruleset(static_cast<int>(
      ::syscall(kCreateRuleset, &wanted, version >= 6 ? sizeof wanted : sizeof wanted.handled_files, 0)));
  if (!ruleset.is_open()) return errno;
  const std::uint64_t read = (kExecute | kReadFile | kReadFolder) & handled;
  const std::uint64_t write = handled & ~(kMakeCharacterDevice | kMakeBlockDevice);
  const std::uint64_t device = (kReadFile | kWriteFile | kReadFolder | kDeviceIoctl | kTruncate) & handled;
  for (const auto& [paths, rights] : {std::pair(&access.readable, read), std::pair(&access.writable, write),
                                      std::pair(&access.devices, device)}) {
    for (const std::string& path : *paths) {
      if (const int error = add(ruleset.get(), path, rights); error != 0) return error;
    }
  }
  return ::syscall(kRestrictSelf, ruleset.get(), 0) == 0 ? 0 : errno;
}

}  // namespace lambed::sandbox
