#include "environments/sandbox/disk_image.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lambed::sandbox {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kBlocksInGroup = 8 * kBlock;
constexpr std::uint64_t kInodeSize = 256;
constexpr std::uint64_t kBytesForInode = 16384;
// For folders and lists of extents, so that files alone may fill what is called usable.
constexpr std::uint64_t kSpareBlocks = 64;
// A last group that holds little more than its own tables is left out by mkfs and by the kernel.
constexpr std::uint64_t kLeastLastGroup = 1024;
// What ext4 keeps back for itself: a fiftieth, but not more than this.
constexpr std::uint64_t kMostKeptBack = 4096;
constexpr int kTriesForLoop = 16;

// How large a file system is that has so much for files.
std::uint64_t blocks_for(std::uint64_t usable) {
  const std::uint64_t wanted = (usable + kBlock - 1) / kBlock + kSpareBlocks;
  std::uint64_t total = wanted;
  for (int i = 0; i < 16; ++i) {
    const std::uint64_t groups = (total + kBlocksInGroup - 1) / kBlocksInGroup;
    const std::uint64_t inodes = total * kBlock / kBytesForInode / groups + 16;
    const std::uint64_t tables = groups * ((inodes * kInodeSize + kBlock - 1) / kBlock + 2);
    // Copies of the superblock and of the one block of descriptors, of which there are at most 12 in this size.
    const std::uint64_t copies = 2 * std::min<std::uint64_t>(groups, 12);
    total = wanted + tables + copies + std::min(total / 50 + 1, kMostKeptBack);
    if (const std::uint64_t rest = total % kBlocksInGroup; rest > 0 && rest < kLeastLastGroup && groups > 1)
      total += kLeastLastGroup - rest;
  }
  return total;
}

// Without a name from the start, where the file system can do that.
Descriptor unnamed_file(const std::string& folder) {
  Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.is_open() || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return file;
  std::string path = folder + "/lambed-image-XXXXXX";
  file = Descriptor(::mkostemp(path.data(), O_CLOEXEC));
  if (file.is_open()) ::unlink(path.c_str());
  return file;
}

// 0, or errno; ECHILD: it failed.
int run_mkfs(const std::string& program, const Descriptor& file) {
  constexpr int kTheirs = 3;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, file.get(), kTheirs);
  // By names, and without the machine's own choice of features: what is in it is the same everywhere, and little. No journal,
  // since nothing of it outlives a crash; nothing is zeroed, since the file is. The nil UUID keeps it out of /dev/disk.
  std::vector<std::string> words = {program,
                                    "-q",
                                    "-F",
                                    "-b",
                                    "4096",
                                    "-I",
                                    "256",
                                    "-i",
                                    "16384",
                                    "-m",
                                    "0",
                                    "-O",
                                    "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,"
                                    "uninit_bg,dir_nlink,extra_isize",
                                    "-E",
                                    "lazy_itable_init=1,nodiscard,root_owner=0:0",
                                    "-U",
                                    "clear",
                                    "/proc/self/fd/3"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string variable = "MKE2FS_CONFIG=/dev/null";
  char* variables[] = {variable.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), variables);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return error;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ECHILD;
}

Trouble make_file_system(const Descriptor& file) {
  for (const char* program :
       {"/usr/sbin/mke2fs", "/sbin/mke2fs", "/usr/bin/mke2fs", "/usr/local/sbin/mke2fs"}) {
    if (::access(program, X_OK) != 0) continue;
    return trouble(run_mkfs(program, file), fmt::format("running {}", program));
  }
  return trouble(ENOENT, "looking for mke2fs (of the package e2fsprogs)");
}

// A node of our own where the machine's /dev does not get them by itself, as in containers.
Descriptor open_loop(int number, int flags) {
  const std::string usual = fmt::format("/dev/loop{}", number);
  Descriptor device(::open(usual.c_str(), flags | O_CLOEXEC));
  if (device.is_open() || errno != ENOENT) return device;
  constexpr unsigned kMajor = 7;
  if (::mknod(usual.c_str(), S_IFBLK | 0660, ::makedev(kMajor, static_cast<unsigned>(number))) != 0 &&
      errno != EEXIST)
    return device;
  return Descriptor(::open(usual.c_str(), flags | O_CLOEXEC));
}

// What has not been written to the disk yet need not be, if no file has it any more. Bounded: what is left costs time only.
void forget_files(int parent, const char* name, int depth, int& entries) {
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  DIR* folder = ::fdopendir(fd);
  if (folder == nullptr) {
    ::close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (--entries < 0) break;
    if (entry->d_type != DT_DIR) {
      ::unlinkat(fd, entry->d_name, 0);
    } else if (depth > 0) {
      forget_files(fd, entry->d_name, depth - 1, entries);
    }
  }
  ::closedir(folder);
}

}  // namespace

std::string folder_on_disk(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    struct statfs found {};
    if (::statfs(folder.c_str(), &found) != 0) continue;
    if (found.f_type != TMPFS_MAGIC && found.f_type != RAMFS_MAGIC) return folder;
  }
  return {};
}

Trouble ImageForm::make(const ImagePlace& place, std::uint64_t usable, ImageForm& made) {
  made = {};
  made.place_ = place;
  const std::string& folder = place.folder;
  made.blocks_ = blocks_for(usable);
  DiskImage image;
  image.file_ = unnamed_file(folder);
  if (!image.file_.is_open()) return trouble(errno, "making a file in " + folder);
  if (::ftruncate(image.file_.get(), static_cast<off_t>(made.blocks_ * kBlock)) != 0)
    return trouble(errno, "making a file in " + folder);
  if (Trouble t = make_file_system(image.file_); t.error != 0) return t;
  const Descriptor file(::fcntl(image.file_.get(), F_DUPFD_CLOEXEC, 0));
  // Mounted once, so that it is known to work, and without the folder that only repairs need.
  if (Trouble t = image.attach(place.is_direct); t.error != 0) return t;
  if (Trouble t = image.mount_device(); t.error != 0) return t;
  if (::unlinkat(image.folder(), "lost+found", AT_REMOVEDIR) != 0 && errno != ENOENT)
    return trouble(errno, "emptying the file system");
  struct statfs space {};
  if (::fstatfs(image.folder(), &space) != 0 || space.f_bavail * kBlock < usable)
    return trouble(ENOSPC, "making the file system large enough");
  image = DiskImage();
  if (::fsync(file.get()) != 0) return trouble(errno, "writing the file system");
  std::string block(kBlock, '\0');
  for (off_t at = 0; (at = ::lseek(file.get(), at, SEEK_DATA)) >= 0;) {
    const off_t end = ::lseek(file.get(), at, SEEK_HOLE);
    for (; at < end; at += static_cast<off_t>(kBlock)) {
      if (::pread(file.get(), block.data(), block.size(), at) != static_cast<ssize_t>(block.size()))
        return trouble(EIO, "reading the file system");
      if (block.find_first_not_of('\0') == std::string::npos) continue;
      const auto here = static_cast<std::uint64_t>(at);
      if (!made.pieces_.empty() && made.pieces_.back().at + made.pieces_.back().bytes.size() == here) {
        made.pieces_.back().bytes += block;
      } else {
        made.pieces_.push_back({here, block});
      }
    }
  }
  return {};
}

Trouble DiskImage::make(const ImageForm& form, DiskImage& made) {
  made = DiskImage();
  // Sparse: most functions write little or nothing, and what they do not write the disk need not have.
  made.file_ = unnamed_file(form.place_.folder);
  if (!made.file_.is_open() || ::ftruncate(made.file_.get(), static_cast<off_t>(form.blocks_ * kBlock)) != 0)
    return trouble(errno, "making a file in " + form.place_.folder);
  for (const ImageForm::Piece& piece : form.pieces_) {
    if (::pwrite(made.file_.get(), piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(piece.at)) !=
        static_cast<ssize_t>(piece.bytes.size()))
      return trouble(errno, "writing a file in " + form.place_.folder);
  }
  if (Trouble t = made.attach(form.place_.is_direct); t.error != 0) return t;
  return made.mount_device();
}

DiskImage::~DiskImage() {
  if (!folder_.is_open()) return;
  int entries = 10'000;
  forget_files(folder_.get(), ".", 32, entries);
}

Descriptor DiskImage::release_mount() {
  Descriptor mount = std::move(mount_);
  file_ = Descriptor();
  loop_ = Descriptor();
  return mount;
}

Trouble DiskImage::attach(bool is_direct) {
  const Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.is_open()) return trouble(errno, "opening /dev/loop-control");
  for (int i = 0; i < kTriesForLoop; ++i) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return trouble(errno, "looking for a free loop device");
    device_ = fmt::format("/dev/loop{}", number);
    Descriptor writable = open_loop(number, O_RDWR);
    if (!writable.is_open()) return trouble(errno, "opening " + device_);
    loop_config wanted{};
    wanted.fd = static_cast<unsigned>(file_.get());
    wanted.block_size = static_cast<unsigned>(kBlock);
    wanted.info.lo_flags = LO_FLAGS_AUTOCLEAR | (is_direct ? LO_FLAGS_DIRECT_IO : 0);
    if (::ioctl(writable.get(), LOOP_CONFIGURE, &wanted) != 0) {
      if (errno == EBUSY) continue;  // somebody was faster
      return trouble(errno, "setting up " + device_);
    }
    loop_ = open_loop(number, O_RDONLY);
    if (!loop_.is_open()) return trouble(errno, "opening " + device_);
    loop_info64 got{};
    if (is_direct &&
        (::ioctl(loop_.get(), LOOP_GET_STATUS64, &got) != 0 || (got.lo_flags & LO_FLAGS_DIRECT_IO) == 0))
      return trouble(EOPNOTSUPP, "writing past the cache to the disk below " + device_);
    return {};
  }
  return trouble(EBUSY, "getting a loop device");
}

Trouble DiskImage::mount_device() {
  const Descriptor context(::fsopen("ext4", FSOPEN_CLOEXEC));
  if (!context.is_open()) return trouble(errno, "opening ext4");
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", device_.c_str(), 0) != 0)
    return trouble(errno, "naming " + device_);
  // Nothing needs to be safe on the disk; blocks of files that are gone go back to the machine; and where its disk is full, the
  // environment may not write any more.
  for (const char* flag : {"nobarrier", "noauto_da_alloc", "noinit_itable", "discard"}) {
    if (::fsconfig(context.get(), FSCONFIG_SET_FLAG, flag, nullptr, 0) != 0)
      return trouble(errno, fmt::format("choosing {} for {}", flag, device_));
  }
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "errors", "remount-ro", 0) != 0 ||
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return trouble(errno, "reading the file system of " + device_);
  mount_ = Descriptor(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  if (!mount_.is_open()) return trouble(errno, "mounting " + device_);
  folder_ = Descriptor(::openat(mount_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder_.is_open() ? Trouble{} : trouble(errno, "opening the file system of " + device_);
}

}  // namespace lambed::sandbox
