#include "catalog/readers.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace lambed::catalog {
namespace {

// Beyond what distributions hand out, below the users of functions; the second one for containers whose numbers end at 65,535.
constexpr gid_t kReaders[] = {1'879'999'999, 49'999};

}  // namespace

void open_to_readers(const std::string& folder) {
  if (::geteuid() != 0) return;
  for (const gid_t group : kReaders) {
    if (::chown(folder.c_str(), static_cast<uid_t>(-1), group) == 0) {
      ::chmod(folder.c_str(), 0710);
      return;
    }
    if (errno != EINVAL) return;
  }
}

bool join_readers() {
  for (const gid_t group : kReaders) {
    if (::setgroups(1, &group) == 0) return true;
    if (errno != EINVAL) return false;
  }
  return false;
}

}  // namespace lambed::catalog
