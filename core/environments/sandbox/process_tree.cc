#include "environments/sandbox/process_tree.h"

#include <dirent.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

struct Figures {
  unsigned long long cpu_ticks = 0;
  unsigned long long resident_pages = 0;
};

bool read_figures(pid_t pid, Figures& figures) {
  const std::string text = text_of_file(fmt::format("/proc/{}/stat", pid));
  std::size_t at = text.rfind(')');
  if (at == std::string::npos) return false;
  const char* next = text.c_str() + at + 1;
  for (int field = 3; field <= 24 && *next == ' '; ++field) {
    const char* end = std::strchr(++next, ' ');
    if (end == nullptr) break;
    unsigned long long value = 0;
    std::from_chars(next, end, value);
    if (field == 14 || field == 15) figures.cpu_ticks += value;
    if (field == 24) figures.resident_pages = value;
    next = end;
  }
  return true;
}

std::vector<pid_t> numbers_in(const std::string& path) {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    pid_t pid = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, pid).ptr == end && pid > 0) found.push_back(pid);
  }
  return found;
}

void add_children(pid_t parent, std::vector<pid_t>& found) {
  for (const pid_t thread : numbers_in(fmt::format("/proc/{}/task", parent))) {
    std::istringstream children(text_of_file(fmt::format("/proc/{}/task/{}/children", parent, thread)));
    for (pid_t child = 0; children >> child;) found.push_back(child);
  }
}

}  // namespace

std::vector<pid_t> ProcessTree::processes() const {
  std::vector<pid_t> result;
  const pid_t self = ::getpid();
  if (own_namespace_) {
    for (const pid_t pid : numbers_in("/proc")) {
      if (pid != self) result.push_back(pid);
    }
    return result;
  }
  // Orphans of the tree are init's own children: it is their reaper.
  result.push_back(self);
  for (std::size_t i = 0; i < result.size(); ++i) add_children(result[i], result);
  result.erase(result.begin());
  return result;
}

void ProcessTree::signal(int number) const {
  if (own_namespace_) {
    ::kill(-1, number);  // all but pid 1, at one moment
    return;
  }
  // A process may have forked while we looked: again, until nobody is new.
  std::size_t before = 0;
  for (int i = 0; i < 100; ++i) {
    const std::vector<pid_t> found = processes();
    for (const pid_t pid : found) ::kill(pid, number);
    if (found.size() == before) return;
    before = found.size();
  }
}

void ProcessTree::kill_all() const {
  if (!own_namespace_) signal(SIGSTOP);  // so that a fork bomb does not outrun us
  for (;;) {
    signal(SIGKILL);
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0) return;  // no children: orphans would be ours
    ::usleep(1'000);
  }
}

std::uint64_t ProcessTree::memory(std::uint64_t limit) const {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::vector<pid_t> found = processes();
  std::uint64_t upper = 0;
  for (const pid_t pid : found) {
    Figures figures;
    if (read_figures(pid, figures)) upper += figures.resident_pages * page;
  }
  if (upper <= limit) return upper;
  std::uint64_t exact = 0;
  for (const pid_t pid : found) {
    const std::string text = text_of_file(fmt::format("/proc/{}/smaps_rollup", pid));
    exact += (number_after(text, "Pss_Anon") + number_after(text, "Pss_Shmem")) * 1024;
  }
  return exact;
}

std::chrono::milliseconds ProcessTree::cpu_used() const {
  unsigned long long ticks = 0;
  for (const pid_t pid : processes()) {
    Figures figures;
    if (read_figures(pid, figures)) ticks += figures.cpu_ticks;
  }
  rusage reaped{};
  ::getrusage(RUSAGE_CHILDREN, &reaped);
  const auto seconds = static_cast<long long>(reaped.ru_utime.tv_sec + reaped.ru_stime.tv_sec);
  const auto micros = static_cast<long long>(reaped.ru_utime.tv_usec + reaped.ru_stime.tv_usec);
  const auto per_second = static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK));
  return std::chrono::milliseconds(static_cast<long long>(ticks * 1000 / per_second) + seconds * 1000 +
                                   micros / 1000);
}

}  // namespace lambed::sandbox
