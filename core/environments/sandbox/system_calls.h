// Which system calls an environment may make without a condition, and which are refused by name. seccomp_program.cc adds those
// with conditions: socket, connect, listen, accept, send*, clone, personality, seccomp, prlimit64, memory without a
// process.
#pragma once

namespace lambed::sandbox {

// By names, since numbers differ between architectures; names that an architecture does not have are passed over.
inline constexpr const char* kAllowedCalls[] = {
    // files
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2",
    "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr",
    "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64",
    "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown",
    "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat",
    "mkdir", "mkdirat", "mknod", "mknodat", "newfstatat", "pread64", "preadv", "preadv2", "pwrite64",
    "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename",
    "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "splice", "stat", "statfs", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "umask", "unlink", "unlinkat", "utime",
    "utimensat", "utimes", "vmsplice", "write", "writev", "cachestat",
    // memory
    "brk", "madvise", "map_shadow_stack", "mbind", "membarrier", "get_mempolicy", "mincore", "mlock",
    "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages", "set_mempolicy",
    "set_mempolicy_home_node",  // processes and threads
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "get_robust_list",
    "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid",
    "ioprio_get", "kill", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
    "pidfd_open", "pidfd_send_signal", "prctl", "rseq", "sched_get_priority_max", "sched_get_priority_min",
    "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_yield", "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
    "setpgid", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setuid", "sysinfo",
    "tgkill", "times", "tkill", "uname", "vfork", "wait4", "waitid",
    // signals, time, waiting
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "futex", "futex_requeue",
    "futex_wait", "futex_waitv", "futex_wake", "getitimer", "ioctl", "gettimeofday", "nanosleep", "pause",
    "poll", "ppoll", "pselect6", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "select",
    "setitimer", "sigaltstack", "signalfd", "signalfd4", "time", "timer_create", "timer_delete",
    "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime",
    "timerfd_settime",
    // between processes
    "bind", "getpeername", "getrandom", "getsockname", "getsockopt", "io_cancel", "io_destroy",
    "io_getevents", "io_pgetevents", "io_setup", "io_submit", "pipe", "pipe2", "recvfrom", "recvmmsg",
    "recvmsg", "setsockopt", "shutdown"};

// By names or numbers that others' objects have, where there is no IPC namespace.
inline constexpr const char* kSharedObjectCalls[] = {
    "mq_getsetattr", "mq_notify",  "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
    "msgctl",        "msgget",     "msgrcv",  "msgsnd",          "semctl",       "semget",
    "semop",         "semtimedop", "shmat",   "shmctl",          "shmdt"};

// Change how a process runs, whose number is argument `process`: any process of the same user, if there is no pid namespace.
struct ProcessCall {
  const char* name;
  unsigned process;
};
inline constexpr ProcessCall kProcessCalls[] = {{"sched_setaffinity", 0}, {"sched_setattr", 0},
                                                {"sched_setparam", 0},    {"sched_setscheduler", 0},
                                                {"setpriority", 1},       {"ioprio_set", 1}};

inline constexpr const char* kRefusedCalls[] = {
    // other processes' memory and descriptors
    "kcmp", "pidfd_getfd", "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev",
    "ptrace",
    // ways around the calls that are filtered
    "io_uring_enter", "io_uring_register", "io_uring_setup",
    // the kernel itself
    "bpf", "delete_module", "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load",
    "lookup_dcookie", "modify_ldt", "perf_event_open", "reboot", "syslog", "userfaultfd",
    // keyrings belong to the user, not to the environment
    "add_key", "keyctl", "request_key",
    // the file system's shape, and files by handle
    "chroot", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick", "listmount",
    "mount", "mount_setattr", "move_mount", "name_to_handle_at", "open_by_handle_at", "open_tree",
    "pivot_root", "quotactl", "quotactl_fd", "statmount", "swapoff", "swapon", "umount2",
    // namespaces
    "setns", "unshare",
    // the machine
    "acct", "adjtimex", "clock_adjtime", "clock_settime", "migrate_pages", "move_pages", "sethostname",
    "setdomainname", "settimeofday", "vhangup"};

}  // namespace lambed::sandbox
