#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sandbox/attack.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

int steal(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  if (fd < 0) return errno;
  char text[6] = {};
  const ssize_t got = ::read(fd, text, sizeof text);
  ::close(fd);
  if (got < 0) return errno;
  return std::memcmp(text, "secret", 6) == 0 ? 0 : ENODATA;
}

int read_store(const Site& site, const Inside&) { return steal(site.store); }
int read_store_by_own_root(const Site& site, const Inside&) {
  return steal(fmt::format("{}/../..{}", "/proc/self/root", site.store));
}
int read_store_by_server_root(const Site& site, const Inside&) {
  return steal(fmt::format("/proc/{}/root{}", site.server, site.store));
}
int read_store_by_server_cwd(const Site& site, const Inside&) {
  return steal(fmt::format("/proc/{}/cwd/{}", site.server, site.store.substr(site.store.rfind('/') + 1)));
}
int read_store_by_server_file(const Site& site, const Inside&) {
  return steal(fmt::format("/proc/{}/fd/{}", site.server, site.server_file));
}
int read_store_by_climbing(const Site& site, const Inside& inside) {
  return steal(inside.tmp + "/../../../../../../.." + site.store);
}
int read_store_by_link(const Site& site, const Inside& inside) {
  const std::string link = inside.tmp + "/link";
  ::unlink(link.c_str());
  if (::symlink(site.store.c_str(), link.c_str()) != 0) return errno;
  return steal(link);
}
int read_store_by_hard_link(const Site& site, const Inside& inside) {
  const std::string link = inside.tmp + "/hard";
  ::unlink(link.c_str());
  if (::link(site.store.c_str(), link.c_str()) != 0) return errno;
  return steal(link);
}
// Another process exchanges a harmless file and a link to the store, for ever.
int read_store_by_race(const Site& site, const Inside& inside) {
  const std::string plain = inside.tmp + "/plain", link = inside.tmp + "/racing";
  ::unlink(link.c_str());
  const int file = ::open(plain.c_str(), O_CREAT | O_WRONLY, 0600);
  if (file < 0 || ::write(file, "plain!", 6) != 6 || ::symlink(site.store.c_str(), link.c_str()) != 0)
    return errno;
  ::close(file);
  const pid_t swapper = ::fork();
  if (swapper < 0) return errno;
  if (swapper == 0) {
    for (;;) ::renameat2(AT_FDCWD, plain.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  }
  int last = ENODATA;
  for (int i = 0; i < 20'000 && last != 0; ++i) {
    const int result = steal(plain);
    if (result != ENODATA || last == ENODATA) last = result;
  }
  ::kill(swapper, SIGKILL);
  ::waitpid(swapper, nullptr, 0);
  return last;
}
int read_other_function(const Site& site, const Inside&) { return steal(site.folder + "/other/code"); }
int list_the_machine(const Site& site, const Inside&) {
  DIR* folder = ::opendir(site.folder.c_str());
  if (folder == nullptr) return errno;
  ::closedir(folder);
  return 0;
}

int write_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}
int change_own_code(const Site&, const Inside& inside) { return write_file(inside.task_root + "/code"); }
int add_to_own_code(const Site&, const Inside& inside) { return write_file(inside.task_root + "/more"); }
int remove_own_code(const Site&, const Inside& inside) {
  return outcome(::rename((inside.task_root + "/victim").c_str(), (inside.task_root + "/victim").c_str())) !=
                 0
             ? errno
             : outcome(::unlink((inside.task_root + "/victim").c_str()));
}
int empty_own_code(const Site&, const Inside& inside) {
  return outcome(::truncate((inside.task_root + "/victim").c_str(), 4));
}
int empty_own_code_by_opening(const Site&, const Inside& inside) {
  return outcome(::open((inside.task_root + "/victim").c_str(), O_RDONLY | O_TRUNC));
}
int empty_own_code_by_opening_for_nothing(const Site&, const Inside& inside) {
  return outcome(::open((inside.task_root + "/victim").c_str(), O_ACCMODE | O_TRUNC));
}
// To what it is long: the next attack still wants to read it.
int cut_the_store(const Site& site, const Inside&) { return outcome(::truncate(site.store.c_str(), 6)); }
int open_own_code_to_all(const Site&, const Inside& inside) {
  return outcome(::chmod((inside.task_root + "/code").c_str(), 0777));
}
int change_layer(const Site&, const Inside& inside) { return write_file(inside.layers + "/more"); }
int change_runtime(const Site&, const Inside& inside) { return write_file(inside.runtime + "/more"); }
int write_into_server_folder(const Site& site, const Inside&) {
  return write_file(fmt::format("/proc/{}/cwd/planted", site.server));
}
int make_device(const Site&, const Inside& inside) {
  const std::string path = inside.tmp + "/device";
  ::unlink(path.c_str());
  return outcome(::mknod(path.c_str(), S_IFBLK | 0600, makedev(7, 0)));
}
int change_core_pattern(const Site&, const Inside&) {
  return outcome(::open("/proc/sys/kernel/core_pattern", O_WRONLY));
}
int open_a_disk(const Site&, const Inside& inside) {
  const std::string path = inside.tmp + "/null";
  ::unlink(path.c_str());
  if (::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) return errno;
  return outcome(::open(path.c_str(), O_RDWR));
}

}  // namespace

const std::vector<Attack>& attacks_on_files() {
  static const std::vector<Attack> attacks = {
      {"read the store", read_store, "ENOENT", "ENOENT", "EACCES"},
      {"read the store by /proc/self/root", read_store_by_own_root, "ENOENT", "ENOENT", "EACCES"},
      {"read the store by the server's root", read_store_by_server_root, "ENOENT", "ENOENT", "EACCES"},
      {"read the store by the server's folder", read_store_by_server_cwd, "ENOENT", "ENOENT", "EACCES"},
      {"read the store by the server's descriptor", read_store_by_server_file, "ENOENT", "ENOENT", "EACCES"},
      {"climb out of /tmp", read_store_by_climbing, "ENOENT", "ENOENT", "EACCES"},
      {"follow a link out of /tmp", read_store_by_link, "ENOENT", "ENOENT", "EACCES"},
      {"hard-link the store into /tmp", read_store_by_hard_link, "ENOENT", "ENOENT", "EACCES|EXDEV|EPERM"},
      {"race a rename against an open in /tmp", read_store_by_race, "ENOENT", "ENOENT", "EACCES"},
      {"read another function's code", read_other_function, "ENOENT", "ENOENT", "EACCES"},
      {"list a folder of the machine", list_the_machine, "ENOENT", "ENOENT", "EACCES"},
      {"change its own code", change_own_code, "EROFS", "EROFS", "EACCES"},
      {"add to its own code", add_to_own_code, "EROFS", "EROFS", "EACCES"},
      {"remove its own code", remove_own_code, "EROFS", "EROFS", "EACCES"},
      // Landlock does not know chmod: code that belongs to the server's own user can be changed so.
      {"chmod its own code", open_own_code_to_all, "EROFS", "EROFS", "EPERM|done"},
      {"empty its own code", empty_own_code, "EROFS", "EROFS", "EACCES|EPERM"},
      {"empty its own code by opening it", empty_own_code_by_opening, "EROFS", "EROFS", "EACCES|EPERM"},
      {"empty its own code by opening it for nothing", empty_own_code_by_opening_for_nothing, "EROFS",
       "EROFS", "EACCES|EPERM"},
      {"cut the store off", cut_the_store, "ENOENT", "ENOENT", "EACCES|EPERM"},
      {"change a layer", change_layer, "EROFS", "EROFS", "EACCES"},
      {"change the runtime", change_runtime, "EROFS", "EROFS", "EACCES"},
      {"plant a file in the server's folder", write_into_server_folder, "ENOENT", "ENOENT", "EACCES"},
      {"make a block device", make_device, "EACCES|EPERM", "EACCES|EPERM", "EACCES|EPERM", true},
      {"make a character device", open_a_disk, "EACCES|EPERM", "EACCES|EPERM", "EACCES|EPERM", true},
      {"change the kernel's core pattern", change_core_pattern, "EACCES", "EACCES", "EACCES", true},
  };
  return attacks;
}

}  // namespace lambed::testing
