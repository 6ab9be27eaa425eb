#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/attack.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

int open_of(pid_t pid, const char* file, int flags = O_RDONLY) {
  const int fd = ::open(fmt::format("/proc/{}/{}", pid, file).c_str(), flags);
  if (fd < 0) return errno;
  char byte = 0;
  const ssize_t got = std::strcmp(file, "mem") == 0 ? 0 : ::read(fd, &byte, 1);
  const int error = got < 0 ? errno : 0;
  ::close(fd);
  return error;
}
int read_server_memory_file(const Site& site, const Inside&) { return open_of(site.server, "mem"); }
int write_server_memory_file(const Site& site, const Inside&) { return open_of(site.server, "mem", O_RDWR); }
int read_server_variables(const Site& site, const Inside&) { return open_of(site.server, "environ"); }
int read_server_map(const Site& site, const Inside&) { return open_of(site.server, "maps"); }
int read_parent_memory(const Site&, const Inside&) { return open_of(::getppid(), "mem"); }
int read_sibling_variables(const Site& site, const Inside&) { return open_of(site.sibling, "environ"); }
int copy_server_memory(const Site& site, const Inside&) {
  char here[16];
  iovec to{here, sizeof here}, from{const_cast<void*>(site.server_memory), sizeof here};
  return outcome(::process_vm_readv(site.server, &to, 1, &from, 1, 0));
}
int change_server_memory(const Site& site, const Inside&) {
  char here[1] = {};
  iovec from{here, sizeof here}, to{const_cast<void*>(site.server_memory), sizeof here};
  return outcome(::process_vm_writev(site.server, &from, 1, &to, 1, 0));
}
int trace(pid_t pid) {
  if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return errno;
  return 0;  // the tracer's end detaches
}
int trace_server(const Site& site, const Inside&) { return trace(site.server); }
int trace_sibling(const Site& site, const Inside&) { return trace(site.sibling); }
int trace_init(const Site&, const Inside&) { return trace(::getppid()); }
int be_traced(const Site&, const Inside&) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}
int take_server_descriptor(const Site& site, const Inside&) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, site.server, 0));
  if (pidfd < 0) return errno;
  return outcome(::syscall(SYS_pidfd_getfd, pidfd, site.server_file, 0));
}
int take_own_descriptor(const Site&, const Inside&) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  return outcome(::syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}
int compare_with_server(const Site& site, const Inside&) {
  return outcome(::syscall(SYS_kcmp, ::getpid(), site.server, 0, 0, 0));
}
int signal_server(const Site& site, const Inside&) { return outcome(::kill(site.server, SIGCONT)); }
int signal_sibling(const Site& site, const Inside&) { return outcome(::kill(site.sibling, SIGCONT)); }
int signal_init(const Site&, const Inside&) { return outcome(::kill(::getppid(), SIGCONT)); }
int queue_to_server(const Site& site, const Inside&) {
  sigval value{};
  return outcome(::sigqueue(site.server, SIGCONT, value));
}
int signal_server_by_pidfd(const Site& site, const Inside&) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, site.server, 0));
  if (pidfd < 0) return errno;
  return outcome(::syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, nullptr, 0));
}
int be_root(const Site&, const Inside&) { return outcome(::setresuid(0, 0, 0)); }
int join_groups(const Site&, const Inside&) {
  const gid_t groups[] = {0};
  return outcome(::setgroups(1, groups));
}
int raise_capabilities(const Site&, const Inside&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  data[0].effective = data[0].permitted = 1U << CAP_SYS_ADMIN;
  return outcome(::syscall(SYS_capset, &header, data));
}
// A set-uid root program in the code says who it is.
int run_a_set_uid_program(const Site&, const Inside& inside) {
  int ends[2];
  if (::pipe(ends) != 0) return errno;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::execl((inside.task_root + "/who").c_str(), "who", "-u", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  char answer[16] = {};
  const ssize_t got = ::read(ends[0], answer, sizeof answer - 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (got <= 0) return ENOEXEC;
  return std::strcmp(answer, "0\n") == 0 ? 0 : EPERM;
}
int be_first_in_line(const Site&, const Inside&) { return outcome(::setpriority(PRIO_PROCESS, 0, -10)); }
int be_real_time(const Site&, const Inside&) {
  sched_param parameters{};
  parameters.sched_priority = 1;
  return outcome(::sched_setscheduler(0, SCHED_FIFO, &parameters));
}
int limit_server(const Site& site, const Inside&) {
  rlimit now{};
  if (::prlimit(site.server, RLIMIT_NOFILE, nullptr, &now) != 0) return errno;
  return outcome(::prlimit(site.server, RLIMIT_NOFILE, &now, nullptr));
}
int pin_server(const Site& site, const Inside&) {
  cpu_set_t all;
  CPU_ZERO(&all);
  CPU_SET(0, &all);
  return outcome(::sched_setaffinity(site.server, sizeof all, &all));
}
int slow_server_down(const Site& site, const Inside&) {
  return outcome(::setpriority(PRIO_PROCESS, static_cast<id_t>(site.server), 19));
}
int share_server_segment(const Site& site, const Inside&) {
  const void* memory = ::shmat(site.server_segment, nullptr, 0);
  return memory == reinterpret_cast<void*>(-1) ? errno : 0;  // NOLINT: how shmat says no
}
int stat_server_segment(const Site& site, const Inside&) {
  shmid_ds state{};
  return outcome(::shmctl(site.server_segment, IPC_STAT, &state));
}

}  // namespace

const std::vector<Attack>& attacks_on_processes() {
  static const std::vector<Attack> attacks = {
      {"open the server's memory", read_server_memory_file, "ENOENT", "ENOENT", "EACCES"},
      {"open the server's memory for writing", write_server_memory_file, "ENOENT", "ENOENT", "EACCES"},
      {"read the server's variables", read_server_variables, "ENOENT", "ENOENT", "EACCES"},
      {"read the server's memory map", read_server_map, "ENOENT", "ENOENT", "EACCES"},
      {"open its init's memory", read_parent_memory, "EACCES", "EACCES", "EACCES"},
      {"read a sibling's variables", read_sibling_variables, "ENOENT", "ENOENT", "EACCES"},
      {"copy the server's memory", copy_server_memory, "EPERM", "EPERM", "EPERM"},
      {"change the server's memory", change_server_memory, "EPERM", "EPERM", "EPERM"},
      {"trace the server", trace_server, "EPERM", "EPERM", "EPERM"},
      {"trace a sibling", trace_sibling, "EPERM", "EPERM", "EPERM"},
      {"trace its init", trace_init, "EPERM", "EPERM", "EPERM"},
      {"be traced", be_traced, "EPERM", "EPERM", "EPERM"},
      {"take a descriptor of the server", take_server_descriptor, "ESRCH", "ESRCH", "EPERM"},
      {"take a descriptor by pidfd", take_own_descriptor, "EPERM", "EPERM", "EPERM"},
      {"compare itself with the server", compare_with_server, "EPERM", "EPERM", "EPERM"},
      {"signal the server", signal_server, "ESRCH", "ESRCH", "EPERM", false, false, "done"},
      {"signal a sibling", signal_sibling, "ESRCH", "ESRCH", "EPERM", false, false, "done"},
      // One that is pid 1 of its namespace lets no signal of its children do anything.
      {"signal its init", signal_init, "EPERM|done", "EPERM|done", "EPERM", false, false, "done"},
      {"queue a signal to the server", queue_to_server, "ESRCH", "ESRCH", "EPERM", false, false, "done"},
      {"signal the server by pidfd", signal_server_by_pidfd, "ESRCH", "ESRCH", "EPERM", false, false, "done"},
      {"become root", be_root, "EPERM", "EPERM|EINVAL", "EPERM", true},
      {"join root's group", join_groups, "EPERM", "EPERM|EINVAL", "EPERM", true},
      {"raise its capabilities", raise_capabilities, "EPERM", "EPERM", "EPERM", true},
      {"run a set-uid root program", run_a_set_uid_program, "EPERM", "EPERM", "EPERM"},
      {"raise its priority", be_first_in_line, "EACCES", "EACCES", "EACCES", true},
      {"become a real-time process", be_real_time, "EPERM", "EPERM", "EPERM", true},
      {"limit the server's resources", limit_server, "EPERM", "EPERM", "EPERM"},
      {"pin the server to a processor", pin_server, "ESRCH", "ESRCH", "EPERM"},
      {"slow the server down", slow_server_down, "ESRCH", "ESRCH", "EPERM"},
      {"attach the server's shared memory", share_server_segment, "EINVAL", "EINVAL", "EPERM"},
      {"look at the server's shared memory", stat_server_segment, "EINVAL", "EINVAL", "EPERM"},
  };
  return attacks;
}

}  // namespace lambed::testing
