#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/attack.h"
#include "sandbox/limits.h"

namespace lambed::testing {
namespace {

using sandbox::Inside;

// Writes every page, slowly enough that a watch of 10 ms sees it grow and not only that it has grown.
int fill(void* memory, std::size_t size) {
  if (memory == MAP_FAILED) return errno;
  constexpr std::size_t kStep = 4 << 20;
  for (std::size_t at = 0; at < size; at += kStep) {
    std::memset(static_cast<char*>(memory) + at, 1, kStep);
    ::usleep(2'000);
  }
  return 0;
}
int take_private_memory(const Site&, const Inside&) {
  return fill(::mmap(nullptr, kBomb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), kBomb);
}
int take_shared_memory(const Site&, const Inside&) {
  return fill(::mmap(nullptr, kBomb, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), kBomb);
}
int take_tmpfs_pages(const Site&, const Inside&) {
  const int fd = ::memfd_create("bomb", 0);
  if (fd < 0 || ::ftruncate(fd, kBomb) != 0) return errno;
  return fill(::mmap(nullptr, kBomb, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), kBomb);
}
// Pages that no process maps.
int take_tmpfs_pages_unmapped(const Site&, const Inside&) {
  const int fd = ::memfd_create("bomb", 0);
  if (fd < 0) return errno;
  static char piece[1 << 20];
  for (std::size_t at = 0; at < kBomb; at += sizeof piece) {
    if (::write(fd, piece, sizeof piece) < 0) return errno;
  }
  return 0;
}
int take_system_v_memory(const Site&, const Inside&) {
  const int id = ::shmget(IPC_PRIVATE, kBomb, IPC_CREAT | 0600);
  if (id < 0) return errno;
  void* memory = ::shmat(id, nullptr, 0);
  ::shmctl(id, IPC_RMID, nullptr);
  return fill(memory, kBomb);
}
int take_memory_by_many(const Site&, const Inside&) {
  constexpr int kProcesses = 8;
  pid_t children[kProcesses];
  for (pid_t& child : children) {
    child = ::fork();
    if (child < 0) return errno;
    if (child != 0) continue;
    constexpr std::size_t kShare = kBomb / kProcesses;
    fill(::mmap(nullptr, kShare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), kShare);
    ::usleep(200'000);
    ::_exit(0);
  }
  int worst = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) worst = ENOMEM;
  }
  return worst;
}
int bomb_with_forks(const Site&, const Inside&) {
  constexpr int kWanted = 3 * kProcesses;
  pid_t children[kWanted];
  int made = 0, error = 0;
  while (made < kWanted) {
    const pid_t child = ::fork();
    if (child < 0) {
      error = errno;
      break;
    }
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    children[made++] = child;
  }
  for (int i = 0; i < made; ++i) ::kill(children[i], SIGKILL);
  for (int i = 0; i < made; ++i) ::waitpid(children[i], nullptr, 0);
  return error;
}
int bomb_with_threads(const Site&, const Inside&) {
  for (int i = 0; i < 3 * kProcesses; ++i) {
    pthread_t thread;
    const auto wait = [](void*) -> void* {
      ::pause();
      return nullptr;
    };
    pthread_attr_t small;
    ::pthread_attr_init(&small);
    ::pthread_attr_setstacksize(&small, 64 << 10);
    if (const int error = ::pthread_create(&thread, &small, wait, nullptr); error != 0) return error;
  }
  return 0;
}
int take_all_descriptors(const Site&, const Inside&) {
  for (int i = 0; i < 2 * kDescriptors; ++i) {
    if (::dup(0) < 0) return errno;
  }
  return 0;
}
int raise_descriptors(const Site&, const Inside&) {
  const rlimit more{4 * kDescriptors, 4 * kDescriptors};
  if (::setrlimit(RLIMIT_NOFILE, &more) != 0) return errno;
  return 0;
}
int fill_tmp(const std::string& folder, int files, std::size_t each) {
  static char piece[1 << 20];
  int error = 0;
  for (int i = 0; i < files && error == 0; ++i) {
    const int fd = ::open(fmt::format("{}/big{}", folder, i).c_str(), O_CREAT | O_WRONLY, 0600);
    if (fd < 0) return errno;
    for (std::size_t at = 0; at < each && error == 0; at += sizeof piece) {
      if (::write(fd, piece, sizeof piece) != sizeof piece) error = errno;
    }
    ::close(fd);
  }
  for (int i = 0; i < files; ++i) ::unlink(fmt::format("{}/big{}", folder, i).c_str());
  return error;
}
int fill_tmp_with_one(const Site&, const Inside& inside) { return fill_tmp(inside.tmp, 1, 2 * kTmp); }
int fill_tmp_with_many(const Site&, const Inside& inside) { return fill_tmp(inside.tmp, 8, kTmp / 4); }
int write_a_core_file(const Site&, const Inside&) {
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = core.rlim_max;
  ::setrlimit(RLIMIT_CORE, &core);
  return core.rlim_max > 0 ? 0 : EPERM;
}

}  // namespace

const std::vector<Attack>& attacks_on_resources() {
  static const std::vector<Attack> attacks = {
      {"take private memory", take_private_memory, "out of memory", "ENOMEM", "ENOMEM"},
      {"take shared memory", take_shared_memory, "out of memory", "out of memory", "out of memory"},
      {"take tmpfs pages", take_tmpfs_pages, "out of memory", "EPERM", "EPERM"},
      {"take tmpfs pages that nobody maps", take_tmpfs_pages_unmapped, "out of memory", "EPERM", "EPERM"},
      {"take System V memory", take_system_v_memory, "out of memory", "EPERM", "EPERM"},
      {"take memory by many processes", take_memory_by_many, "out of memory", "out of memory",
       "out of memory"},
      {"fork without end", bomb_with_forks, "EAGAIN", "EAGAIN", "EAGAIN"},
      {"start threads without end", bomb_with_threads, "EAGAIN", "EAGAIN", "EAGAIN"},
      {"take all descriptors", take_all_descriptors, "EMFILE", "EMFILE", "EMFILE"},
      {"raise the limit of descriptors", raise_descriptors, "EPERM", "EPERM", "EPERM"},
      {"fill /tmp with one file", fill_tmp_with_one, "ENOSPC", "ENOSPC|signal 25", "signal 25"},
      // The bare layer limits each file, not their sum.
      {"fill /tmp with many files", fill_tmp_with_many, "ENOSPC", "ENOSPC", "done"},
      {"write a core file", write_a_core_file, "EPERM", "EPERM", "EPERM"},
  };
  return attacks;
}

}  // namespace lambed::testing
