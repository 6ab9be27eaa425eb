#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "sandbox/attack.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

int set_up_io_uring(const Site&, const Inside&) {
  alignas(8) char parameters[120] = {};
  return outcome(::syscall(SYS_io_uring_setup, 4, parameters));
}
int load_bpf(const Site&, const Inside&) {
  bpf_attr map{};
  map.map_type = BPF_MAP_TYPE_ARRAY;
  map.key_size = map.value_size = 4;
  map.max_entries = 1;
  return outcome(::syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
}
int measure_the_kernel(const Site&, const Inside&) {
  perf_event_attr event{};
  event.size = sizeof event;
  event.type = PERF_TYPE_SOFTWARE;
  event.config = PERF_COUNT_SW_TASK_CLOCK;
  event.exclude_kernel = 1;
  return outcome(::syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}
int handle_page_faults(const Site&, const Inside&) {
  constexpr int kUserModeOnly = 1;
  return outcome(::syscall(SYS_userfaultfd, O_CLOEXEC | kUserModeOnly));
}
int unshare_user(const Site&, const Inside&) { return outcome(::unshare(CLONE_NEWUSER)); }
int clone_into_user_namespace(const Site&, const Inside&) {
  const long child = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  return outcome(child);
}
int clone3_into_user_namespace(const Site&, const Inside&) {
  clone_args arguments{};
  arguments.flags = CLONE_NEWUSER;
  arguments.exit_signal = SIGCHLD;
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  return outcome(child);
}
// What needs rights that a user gets in a namespace of its own: the usual first step of an escape.
void take_namespace() { (void)!::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS); }
int mount_something(const Site&, const Inside& inside) {
  take_namespace();
  return outcome(::mount("tmpfs", inside.tmp.c_str(), "tmpfs", 0, nullptr));
}
int bind_something(const Site&, const Inside& inside) {
  take_namespace();
  return outcome(::mount(inside.layers.c_str(), inside.tmp.c_str(), nullptr, MS_BIND, nullptr));
}
int open_a_tree(const Site&, const Inside& inside) {
  take_namespace();
  constexpr unsigned kClone = 1;
  return outcome(::syscall(SYS_open_tree, AT_FDCWD, inside.layers.c_str(), kClone));
}
int open_a_file_system(const Site&, const Inside&) {
  take_namespace();
  return outcome(::syscall(SYS_fsopen, "tmpfs", 0));
}
int change_root(const Site&, const Inside&) {
  take_namespace();
  return outcome(::chroot("/"));
}
int join_namespace(const Site&, const Inside&) {
  take_namespace();
  const int own = ::open("/proc/self/ns/uts", O_RDONLY);
  return own < 0 ? errno : outcome(::setns(own, CLONE_NEWUTS));
}
int name_the_machine(const Site&, const Inside&) {
  take_namespace();
  return outcome(::sethostname("owned", 5));
}
int add_a_key(const Site&, const Inside&) {
  constexpr int kProcessKeyring = -2;
  return outcome(::syscall(SYS_add_key, "user", "lambed-attack", "x", 1, kProcessKeyring));
}
int find_a_keyring(const Site&, const Inside&) {
  constexpr int kGetKeyringId = 0, kProcessKeyring = -2;
  return outcome(::syscall(SYS_keyctl, kGetKeyringId, kProcessKeyring, 1));
}
int name_a_file_by_handle(const Site&, const Inside&) {
  struct {
    std::uint32_t bytes = 128;
    std::int32_t type = 0;
    char handle[128] = {};
  } wanted;
  int mount = 0;
  // Of a file system in memory: those of overlays have no handles.
  return outcome(::syscall(SYS_name_to_handle_at, AT_FDCWD, "/dev/null", &wanted, &mount, 0));
}
int watch_all_files(const Site&, const Inside&) { return outcome(::syscall(SYS_fanotify_init, 0, O_RDONLY)); }
int read_the_kernel_log(const Site&, const Inside&) {
  char text[16];
  return outcome(::syscall(SYS_syslog, 3, text, sizeof text));
}
int weaken_addresses(const Site&, const Inside&) { return outcome(::personality(READ_IMPLIES_EXEC)); }
int move_pages_of_server(const Site& site, const Inside&) {
  return outcome(::syscall(SYS_move_pages, site.server, 0, nullptr, nullptr, nullptr, 0));
}
int advise_server(const Site& site, const Inside&) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  struct {
    void* base;
    std::size_t size;
  } piece{const_cast<void*>(site.server_memory), 4096};
  constexpr int kCold = 20;
  return outcome(::syscall(SYS_process_madvise, pidfd, &piece, 1, kCold, 0));
}
int call_what_is_not_known(const Site&, const Inside&) {
  // A call that came after the filter was written; whoever asks must be told that there is none.
  return outcome(::syscall(SYS_memfd_secret, 0));
}

}  // namespace

const std::vector<Attack>& attacks_on_kernel() {
  static const std::vector<Attack> attacks = {
      {"set up io_uring", set_up_io_uring, "EPERM", "EPERM", "EPERM"},
      {"load BPF", load_bpf, "EPERM", "EPERM", "EPERM", true},
      {"open a perf event", measure_the_kernel, "EPERM", "EPERM", "EPERM", true},
      {"handle page faults", handle_page_faults, "EPERM", "EPERM", "EPERM"},
      {"unshare a user namespace", unshare_user, "EPERM", "EPERM", "EPERM", false, true},
      {"clone into a user namespace", clone_into_user_namespace, "EPERM", "EPERM", "EPERM", false, true},
      {"clone3 into a user namespace", clone3_into_user_namespace, "ENOSYS", "ENOSYS", "ENOSYS", false, true},
      {"mount a file system", mount_something, "EPERM", "EPERM", "EPERM", false, true},
      {"bind a folder", bind_something, "EPERM", "EPERM", "EPERM", false, true},
      {"clone a tree of mounts", open_a_tree, "EPERM", "EPERM", "EPERM", false, true},
      {"open a file system", open_a_file_system, "EPERM", "EPERM", "EPERM", false, true},
      {"change the root", change_root, "EPERM", "EPERM", "EPERM", false, true},
      {"join a namespace", join_namespace, "EPERM", "EPERM", "EPERM", false, true},
      {"name the machine", name_the_machine, "EPERM", "EPERM", "EPERM", false, true},
      {"add a key", add_a_key, "EPERM", "EPERM", "EPERM"},
      {"find a keyring", find_a_keyring, "EPERM", "EPERM", "EPERM"},
      {"name a file by handle", name_a_file_by_handle, "EPERM", "EPERM", "EPERM"},
      {"watch all files", watch_all_files, "EPERM", "EPERM", "EPERM", true},
      {"read the kernel's log", read_the_kernel_log, "EPERM", "EPERM", "EPERM", true},
      {"weaken its address space", weaken_addresses, "ENOSYS", "ENOSYS", "ENOSYS"},
      {"move the server's pages", move_pages_of_server, "EPERM", "EPERM", "EPERM"},
      {"advise on memory by pidfd", advise_server, "EPERM", "EPERM", "EPERM", false, false, "", true},
      {"call what the filter does not know", call_what_is_not_known, "ENOSYS", "ENOSYS", "ENOSYS"},
  };
  return attacks;
}

}  // namespace lambed::testing
