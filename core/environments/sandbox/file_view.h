// The file system that an environment sees: a small root of its own, with what a runtime needs from this machine, read-only.
//
// For init, in a mount namespace of its own and with the right to mount; nothing of it is seen outside, and all of it goes
// with the namespace.
#pragma once

#include <sys/types.h>

#include <string>

#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

struct FileView {
  Place place;
  std::uint64_t tmp_bytes = 0;
  int tmp_image = -1;  // a mount that is to become /tmp (disk_image.h); -1: a tmpfs
  uid_t uid = 0;       // owner of /tmp, and the name in /etc/passwd; as numbers inside
  gid_t gid = 0;
  std::string resolv_conf;  // text of /etc/resolv.conf
  // Code, layers and the size of /tmp come with furnish_file_view(); until then the machine's own root stays in sight.
  bool is_furnished_later = false;
};

// What went wrong: which step, on what, and errno. `error` 0: all is well.
struct Trouble {
  int error = 0;
  char step[256] = {};
};
Trouble trouble(int error, const std::string& step);

// The calling process has the new root when it returns. The working directory is /var/task.
Trouble enter_file_view(const FileView& view);

// A folder of this machine that must be the very one that somebody else has seen at the path.
struct KnownFolder {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

// The rest of a view that is furnished later; it needs the rights that enter_file_view() needs. When it returns, nothing of the
// machine can be reached any more but what the view shows. `view`: tmp_bytes count.
Trouble furnish_file_view(const FileView& view, const KnownFolder& task_root,
                          const std::vector<KnownFolder>& layers);

// What of this machine every environment may read: shared with the bare layer, which has nothing but Landlock.
extern const std::vector<std::string> kSystemFolders;  // /usr, /lib, ...
extern const std::vector<std::string> kSystemFiles;    // pieces of /etc
extern const std::vector<std::string> kDevices;        // /dev/null, ...

}  // namespace lambed::sandbox
