#include "environments/sandbox/file_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {

const std::vector<std::string> kSystemFolders = {"/usr",    "/lib", "/lib64", "/lib32",
                                                 "/libx32", "/bin", "/sbin"};
const std::vector<std::string> kSystemFiles = {
    "/etc/alternatives", "/etc/ca-certificates", "/etc/crypto-policies",
    "/etc/gai.conf",     "/etc/host.conf",       "/etc/hosts",
    "/etc/ld.so.cache",  "/etc/ld.so.conf",      "/etc/ld.so.conf.d",
    "/etc/localtime",    "/etc/mime.types",      "/etc/nsswitch.conf",
    "/etc/pki",          "/etc/protocols",       "/etc/services",
    "/etc/ssl/certs",    "/etc/ssl/openssl.cnf", "/etc/timezone"};
const std::vector<std::string> kDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                           "/dev/urandom"};

Trouble trouble(int error, const std::string& step) {
  Trouble result;
  result.error = error;
  std::strncpy(result.step, step.c_str(), sizeof result.step - 1);
  return result;
}

namespace {

// Where the new root grows before it is one: any folder that all machines have. The host's own is not touched: this mount
// namespace is ours alone.
constexpr const char* kNewRoot = "/tmp";
// Where the machine's root stays until furnish_file_view().
constexpr const char* kOldRoot = "/.before";

constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV;

// Adds attributes to a mount and all below it; takes none away, which a user namespace could not.
int guard_mount(const std::string& path, std::uint64_t attributes) {
  mount_attr wanted{};
  wanted.attr_set = attributes;
  return ::syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), AT_RECURSIVE, &wanted, sizeof wanted) == 0
             ? 0
             : errno;
}

int bind_read_only(const std::string& from, const std::string& to) {
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return errno;
  return guard_mount(to, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

// The environment's root, while it is being furnished.
class Root {
 public:
  // `at`: kNewRoot, or nothing when it is the root of this process already.
  explicit Root(std::string at) : at_(std::move(at)) {}

  std::string inside(const std::string& path) const { return at_ + path; }
  void make_folders(const std::string& path) const;
  Trouble show_at(const std::string& from, const std::string& path) const;
  Trouble show(const std::string& path) const;
  Trouble show_layers(const std::vector<std::string>& layers) const;
  Trouble make_devices() const;
  Trouble make_etc(const FileView& view) const;
  Trouble make_tmp(const FileView& view) const;
  Trouble make_read_only() const;

 private:
  std::string at_;
};

// mkdir -p below the new root.
void Root::make_folders(const std::string& path) const {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    ::mkdir(inside(path.substr(0, at)).c_str(), 0755);
  ::mkdir(inside(path).c_str(), 0755);
}

Trouble Root::show_at(const std::string& from, const std::string& path) const {
  struct stat found {};
  if (::stat(from.c_str(), &found) != 0) return trouble(errno, "reading " + path);
  if (S_ISDIR(found.st_mode)) {
    make_folders(path);
  } else {
    make_folders(path.substr(0, path.rfind('/')));
    const Descriptor point(::open(inside(path).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444));
    if (!point.is_open()) return trouble(errno, "making the mount point " + path);
  }
  if (const int error = bind_read_only(from, inside(path)); error != 0)
    return trouble(error, "binding " + path);
  return {};
}

// A folder or file at the same path as outside; symbolic links (/lib -> usr/lib) as they are. Not there: passed over.
Trouble Root::show(const std::string& path) const {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (const std::size_t slash = path.rfind('/'); slash > 0) make_folders(path.substr(0, slash));
  std::string from = path;
  if (S_ISLNK(found.st_mode)) {
    char target[4096];
    const ssize_t length = ::readlink(path.c_str(), target, sizeof target - 1);
    if (length < 0) return trouble(errno, "reading the link " + path);
    target[length] = 0;
    const bool stays =
        std::any_of(kSystemFolders.begin(), kSystemFolders.end(), [&](const std::string& folder) {
          const std::string_view to = target;
          return to == folder || to.starts_with(folder + "/") || to == folder.substr(1) ||
                 to.starts_with(folder.substr(1) + "/");
        });
    if (stays) {
      if (::symlink(target, inside(path).c_str()) != 0 && errno != EEXIST)
        return trouble(errno, "making the link " + path);
      return {};
    }
    // A link elsewhere (/etc/resolv.conf to /run): what it leads to, in its place.
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved) == nullptr) return {};
    from = resolved;
  }
  return show_at(from, path);
}

Trouble Root::show_layers(const std::vector<std::string>& layers) const {
  make_folders("/opt");
  if (layers.empty()) return {};
  if (layers.size() == 1) return show_at(layers.front(), "/opt");
  // Descriptors instead of paths: those may hold the characters that separate overlay's options.
  std::vector<Descriptor> folders;
  std::string options = "lowerdir=";
  for (const std::string& layer : layers) {
    folders.emplace_back(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folders.back().is_open()) return trouble(errno, "opening the layer " + layer);
    options += fmt::format("{}/proc/self/fd/{}", folders.size() > 1 ? ":" : "", folders.back().get());
  }
  if (::mount("overlay", inside("/opt").c_str(), "overlay", MS_RDONLY | kSafe, options.c_str()) != 0)
    return trouble(errno, "merging the layers at /opt");
  return {};
}

Trouble Root::make_devices() const {
  make_folders("/dev");
  for (const std::string& device : kDevices) {
    const Descriptor point(::open(inside(device).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
    if (::mount(device.c_str(), inside(device).c_str(), nullptr, MS_BIND, nullptr) != 0)
      return trouble(errno, "binding " + device);
  }
  const std::pair<const char*, const char*> links[] = {{"/proc/self/fd", "/dev/fd"},
                                                       {"/proc/self/fd/0", "/dev/stdin"},
                                                       {"/proc/self/fd/1", "/dev/stdout"},
                                                       {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& link : links) {
    if (::symlink(link.first, inside(link.second).c_str()) != 0)
      return trouble(errno, "making a link in /dev");
  }
  return {};
}

Trouble Root::make_etc(const FileView& view) const {
  make_folders("/etc");
  const auto put = [this](const char* name, const std::string& text) {
    const Descriptor file(::open(inside(name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_EXCL, 0444));
    return file.is_open() &&
           ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  // The user's name is the one that functions see on AWS.
  if (!put("/etc/passwd",
           fmt::format("root:x:0:0:root:/:/usr/sbin/nologin\nsbx_user1051:x:{}:{}::/tmp:/bin/sh\n", view.uid,
                       view.gid)) ||
      !put("/etc/group", fmt::format("root:x:0:\nsbx_user1051:x:{}:\n", view.gid)))
    return trouble(errno, "writing /etc/passwd");
  if (!put("/etc/resolv.conf", view.resolv_conf)) return trouble(errno, "writing /etc/resolv.conf");
  return {};
}

// Inodes cost kernel memory too: one for each 4 kB is what a disk of this size would have.
std::string size_options(const FileView& view) {
  return fmt::format("size={},nr_inodes={}", view.tmp_bytes,
                     std::max<std::uint64_t>(1024, view.tmp_bytes / 16384));
}

Trouble Root::make_tmp(const FileView& view) const {
  make_folders("/tmp");
  const std::string at = inside("/tmp");
  if (view.tmp_image >= 0) {
    if (::move_mount(view.tmp_image, "", AT_FDCWD, at.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
      return trouble(errno, "mounting the image for /tmp");
    if (::chown(at.c_str(), view.uid, view.gid) != 0 || ::chmod(at.c_str(), 0700) != 0)
      return trouble(errno, "handing over /tmp");
    return {};
  }
  const std::string options =
      fmt::format("{},mode=0700,uid={},gid={}", size_options(view), view.uid, view.gid);
  if (::mount("tmpfs", at.c_str(), "tmpfs", kSafe, options.c_str()) != 0)
    return trouble(errno, "mounting /tmp");
  return {};
}

Trouble Root::make_read_only() const {
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, inside("/").c_str(), 0, &read_only, sizeof read_only) != 0)
    return trouble(errno, "making the new root read-only");
  return {};
}

Trouble change_root(const Root& root, bool keeps_old) {
  if (keeps_old) {
    root.make_folders(kOldRoot);
    ::chmod(root.inside(kOldRoot).c_str(), 0700);
  }
  if (::chdir(kNewRoot) != 0) return trouble(errno, "entering the new root");
  // Old and new root in one place: the old one is then taken off from above.
  if (::syscall(SYS_pivot_root, ".", keeps_old ? kOldRoot + 1 : ".") != 0)
    return trouble(errno, "changing the root");
  if (keeps_old) {
    if (::chdir("/") != 0) return trouble(errno, "entering the new root");
    return {};
  }
  if (::umount2(".", MNT_DETACH) != 0) return trouble(errno, "leaving the old root");
  if (::chdir("/var/task") != 0 && ::chdir("/") != 0) return trouble(errno, "entering /var/task");
  return {};
}

// A folder of the machine, by descriptor. ESTALE: at that path there is another one than the supervisor sees, since something
// was mounted over it after the process was made.
Trouble open_folder(int machine, const KnownFolder& folder, Descriptor& opened) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT;
  opened =
      Descriptor(static_cast<int>(::syscall(SYS_openat2, machine, folder.path.c_str(), &how, sizeof how)));
  if (!opened.is_open()) return trouble(errno, "opening " + folder.path);
  struct stat found {};
  if (::fstat(opened.get(), &found) != 0) return trouble(errno, "reading " + folder.path);
  if (found.st_dev != folder.device || found.st_ino != folder.inode)
    return trouble(ESTALE, "opening " + folder.path);
  return {};
}

}  // namespace

Trouble enter_file_view(const FileView& view) {
  // Nothing that is mounted here may show outside, and the other way round. Only the old root, where it is kept, goes on
  // following the machine: it must not keep in use what is unmounted there, and should see what comes.
  if (::mount(nullptr, "/", nullptr, MS_REC | (view.is_furnished_later ? MS_SLAVE : MS_PRIVATE), nullptr) !=
      0)
    return trouble(errno, "making mounts private");
  // What lies below kNewRoot is hidden by it: all that is needed from there is held by descriptors.
  std::vector<Descriptor> held;
  const auto hold = [&](std::string& path) {
    if (path.empty()) return 0;
    held.emplace_back(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!held.back().is_open()) return errno;
    path = fmt::format("/proc/self/fd/{}", held.back().get());
    return 0;
  };
  FileView view_by_descriptor = view;
  Place& place = view_by_descriptor.place;
  std::vector<std::string> runtime_sources = place.runtime_paths;
  for (std::string* path : {&place.task_root, &place.runtime}) {
    const std::string name = *path;
    if (const int error = hold(*path); error != 0) return trouble(error, "opening " + name);
  }
  for (std::vector<std::string>* paths : {&place.layers, &runtime_sources}) {
    for (std::string& path : *paths) {
      const std::string name = path;
      if (const int error = hold(path); error != 0) return trouble(error, "opening " + name);
    }
  }
  if (::mount("lambed", kNewRoot, "tmpfs", kSafe, "size=1m,nr_inodes=1024,mode=0755") != 0)
    return trouble(errno, "mounting a new root");
  const Root root(kNewRoot);
  for (const std::vector<std::string>* paths : {&kSystemFolders, &kSystemFiles}) {
    for (const std::string& path : *paths) {
      if (Trouble t = root.show(path); t.error != 0) return t;
    }
  }
  for (std::size_t i = 0; i < runtime_sources.size(); ++i) {
    const std::string& at = place.runtime_paths[i];
    if (at.starts_with("/usr/") || at == "/usr") continue;  // is there
    if (Trouble t = root.show_at(runtime_sources[i], at); t.error != 0) return t;
  }
  if (Trouble t = root.make_etc(view_by_descriptor); t.error != 0) return t;
  if (Trouble t = root.make_devices(); t.error != 0) return t;
  root.make_folders("/var/task");
  if (!place.task_root.empty()) {
    if (Trouble t = root.show_at(place.task_root, "/var/task"); t.error != 0) return t;
  }
  if (!place.runtime.empty()) {
    if (Trouble t = root.show_at(place.runtime, "/var/runtime"); t.error != 0) return t;
  }
  if (Trouble t = root.show_layers(place.layers); t.error != 0) return t;
  if (Trouble t = root.make_tmp(view_by_descriptor); t.error != 0) return t;
  root.make_folders("/proc");
  if (::mount("proc", root.inside("/proc").c_str(), "proc", kSafe | MS_NOEXEC, nullptr) != 0)
    return trouble(errno, "mounting /proc");
  if (view.is_furnished_later) {
    // What came with its parts from the old root follows the machine no longer.
    if (::mount(nullptr, kNewRoot, nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return trouble(errno, "making mounts private");
    return change_root(root, true);
  }
  if (Trouble t = root.make_read_only(); t.error != 0) return t;
  return change_root(root, false);
}

Trouble furnish_file_view(const FileView& view, const KnownFolder& task_root,
                          const std::vector<KnownFolder>& layers) {
  const Root root("");
  {
    const Descriptor machine(::open(kOldRoot, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!machine.is_open()) return trouble(errno, "opening the old root");
    if (!task_root.path.empty()) {
      Descriptor folder;
      if (Trouble t = open_folder(machine.get(), task_root, folder); t.error != 0) return t;
      if (Trouble t = root.show_at(fmt::format("/proc/self/fd/{}", folder.get()), "/var/task"); t.error != 0)
        return t;
    }
    std::vector<Descriptor> folders(layers.size());
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (Trouble t = open_folder(machine.get(), layers[i], folders[i]); t.error != 0) return t;
      paths.push_back(fmt::format("/proc/self/fd/{}", folders[i].get()));
    }
    if (Trouble t = root.show_layers(paths); t.error != 0) return t;
  }
  if (view.tmp_image < 0 &&
      ::mount(nullptr, "/tmp", nullptr, MS_REMOUNT | kSafe, size_options(view).c_str()) != 0)
    return trouble(errno, "sizing /tmp");
  if (::umount2(kOldRoot, MNT_DETACH) != 0) return trouble(errno, "leaving the old root");
  if (::rmdir(kOldRoot) != 0) return trouble(errno, "removing the place of the old root");
  return root.make_read_only();
}

}  // namespace lambed::sandbox
