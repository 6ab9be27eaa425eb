#include "environments/sandbox/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <sstream>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

constexpr int kPeriodMicroseconds = 20'000;  // short, so that a small share does not show as pauses of 100 ms
constexpr std::string_view kRoom = "lambed";
// Where the processes of a group go that is to hand its controllers down: one with processes of its own may not.
constexpr std::string_view kServerRoom = "lambed-server";

bool has_word(std::string_view list, std::string_view word, char separator) {
  std::size_t at = 0;
  while (at <= list.size()) {
    const std::size_t end = std::min(list.find(separator, at), list.size());
    if (list.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

std::uint64_t number_of_file(const std::string& path) {
  const std::string text = text_of_file(path);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

Result<void> write_or_say(const std::string& folder, const char* file, const std::string& text) {
  const std::string path = folder + "/" + file;
  if (const int error = write_to(path, text); error != 0)
    return system_error(fmt::format("Could not write '{}' to {}", text, path), error);
  return {};
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return system_error(fmt::format("Could not make the control group {}", path), errno);
}

void kill_all_in(const std::string& folder) {
  std::istringstream pids(text_of_file(folder + "/cgroup.procs"));
  for (pid_t pid = 0; pids >> pid;) {
    if (pid > 0) ::kill(pid, SIGKILL);
  }
}

bool is_delegated(const std::string& folder) {
  // By systemd: trusted.delegate for services that are root, user.delegate for all since version 251.
  char value = 0;
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    if (::getxattr(folder.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

// The nearest group around this process that systemd has delegated, else the root of what is mounted. A service may write its
// own part of the tree; the rest is systemd's.
std::string v2_place(const std::string& mount, const std::string& mounted_root) {
  std::istringstream lines(text_of_file("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::/")) continue;
    std::string own = line.substr(3);
    if (mounted_root != "/") {
      if (own != mounted_root && !own.starts_with(mounted_root + "/")) return mount;
      own.erase(0, mounted_root.size());
    }
    for (; own.size() > 1; own.erase(own.rfind('/'))) {
      if (is_delegated(mount + own)) return mount + own;
    }
  }
  return mount;
}

// Lets `folder` hand its controllers down. Only the root of all groups may while processes are in it: those of another one,
// a service's or a container's, move to a group below it, where they keep all limits.
Result<void> hand_down(const std::string& folder) {
  constexpr std::string_view kControllers = "+memory +cpu +pids";
  constexpr int kTries = 20;  // processes may start others while they are moved
  const std::string file = folder + "/cgroup.subtree_control";
  int error = write_to(file, kControllers);
  for (int i = 0; i < kTries && error == EBUSY; ++i) {
    const std::string room = fmt::format("{}/{}", folder, kServerRoom);
    if (auto made = make_folder(room); !made) return made;
    std::istringstream pids(text_of_file(folder + "/cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;) {
      if (pid > 0) write_to(room + "/cgroup.procs", fmt::format("{}", pid));  // fails when it has ended
    }
    error = write_to(file, kControllers);
  }
  if (error == 0) return {};
  return system_error(fmt::format("Could not write '{}' to {}", kControllers, file), error);
}

}  // namespace

bool CgroupMounts::v2_has_all() const {
  return has_word(v2_controllers, "memory", ' ') && has_word(v2_controllers, "cpu", ' ') &&
         has_word(v2_controllers, "pids", ' ');
}

CgroupMounts CgroupMounts::find() {
  CgroupMounts found;
  std::istringstream lines(text_of_file("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    // "36 35 98:0 /root /mount options... - type source super-options"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash)), back(line.substr(dash + 3));
    std::string skipped, root, point, options, type, source, super;
    front >> skipped >> skipped >> skipped >> root >> point >> options;
    back >> type >> source >> super;
    if (type == "cgroup2") {
      found.v2 = v2_place(point, root);
      found.v2_controllers = text_of_file(found.v2 + "/cgroup.controllers");
      while (!found.v2_controllers.empty() && found.v2_controllers.back() == '\n')
        found.v2_controllers.pop_back();
    } else if (type == "cgroup") {
      if (has_word(super, "memory", ',')) found.memory = point;
      if (has_word(super, "cpu", ',')) found.cpu = point;
      if (has_word(super, "pids", ',')) found.pids = point;
      if (has_word(super, "freezer", ',')) found.freezer = point;
    }
  }
  return found;
}

Cgroup::Cgroup(Folders folders, bool v2_controls) : folders_(std::move(folders)), v2_controls_(v2_controls) {}

Cgroup::~Cgroup() { remove(); }

Result<void> Cgroup::make() {
  for (const std::string* folder :
       {&folders_.v2, &folders_.memory, &folders_.cpu, &folders_.pids, &folders_.freezer}) {
    if (folder->empty()) continue;
    if (auto made = make_folder(*folder); !made) return made;
  }
  if (!folders_.v2.empty()) {
    v2_folder_ = Descriptor(::open(folders_.v2.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!v2_folder_.is_open())
      return system_error(fmt::format("Could not open the control group {}", folders_.v2), errno);
  }
  return {};
}

Result<void> Cgroup::limit(std::uint64_t memory_bytes, int processes) {
  const std::string bytes = fmt::format("{}", memory_bytes);
  if (v2_controls_) {
    if (auto set = write_or_say(folders_.v2, "memory.max", bytes); !set) return set;
    write_to(folders_.v2 + "/memory.swap.max", "0");  // not there without swap
    if (auto set = write_or_say(folders_.v2, "memory.oom.group", "1"); !set) return set;
    return write_or_say(folders_.v2, "pids.max", fmt::format("{}", processes));
  }
  if (auto set = write_or_say(folders_.memory, "memory.limit_in_bytes", bytes); !set) return set;
  write_to(folders_.memory + "/memory.memsw.limit_in_bytes", bytes);  // not there without swap accounting
  return write_or_say(folders_.pids, "pids.max", fmt::format("{}", processes));
}

Result<void> Cgroup::limit_cpu(double cores) {
  // The kernel takes no quota below 1 ms.
  const int quota = std::max(1000, static_cast<int>(std::lround(cores * kPeriodMicroseconds)));
  if (v2_controls_)
    return write_or_say(folders_.v2, "cpu.max", fmt::format("{} {}", quota, kPeriodMicroseconds));
  if (auto set = write_or_say(folders_.cpu, "cpu.cfs_period_us", fmt::format("{}", kPeriodMicroseconds));
      !set)
    return set;
  return write_or_say(folders_.cpu, "cpu.cfs_quota_us", fmt::format("{}", quota));
}

Result<void> Cgroup::attach(int pid, bool v2_too) {
  const std::string text = fmt::format("{}", pid);
  if (v2_too && !folders_.v2.empty()) {
    if (auto done = write_or_say(folders_.v2, "cgroup.procs", text); !done) return done;
  }
  for (const std::string* folder : {&folders_.memory, &folders_.cpu, &folders_.pids, &folders_.freezer}) {
    if (folder->empty()) continue;
    if (auto done = write_or_say(*folder, "cgroup.procs", text); !done) return done;
  }
  return {};
}

Result<Descriptor> Cgroup::out_of_memory_event() {
  if (v2_controls_) return Descriptor();
  Descriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.is_open()) return system_error("Could not make an event for memory that runs out", errno);
  const Descriptor control(::open((folders_.memory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC));
  if (!control.is_open()) return system_error("Could not open memory.oom_control", errno);
  if (auto set = write_or_say(folders_.memory, "cgroup.event_control",
                              fmt::format("{} {}", event.get(), control.get()));
      !set)
    return set.error();
  return event;
}

Result<void> Cgroup::freeze(bool frozen) {
  if (!folders_.v2.empty()) return write_or_say(folders_.v2, "cgroup.freeze", frozen ? "1" : "0");
  return write_or_say(folders_.freezer, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

void Cgroup::kill() {
  if (!folders_.freezer.empty())
    write_to(folders_.freezer + "/freezer.state", "THAWED");  // a frozen one cannot die
  if (!folders_.v2.empty() && write_to(folders_.v2 + "/cgroup.kill", "1") == 0) return;  // since Linux 5.14
  for (const std::string* folder : {&folders_.v2, &folders_.pids, &folders_.memory}) {
    if (!folder->empty()) kill_all_in(*folder);
  }
}

std::uint64_t Cgroup::memory_now() const {
  return number_of_file(v2_controls_ ? folders_.v2 + "/memory.current"
                                     : folders_.memory + "/memory.usage_in_bytes");
}

std::uint64_t Cgroup::memory_peak() const {
  // memory.peak came with Linux 5.19.
  if (v2_controls_) return std::max(number_of_file(folders_.v2 + "/memory.peak"), memory_now());
  return number_of_file(folders_.memory + "/memory.max_usage_in_bytes");
}

Descriptor Cgroup::memory_peak_file() const {
  const std::string path =
      v2_controls_ ? folders_.v2 + "/memory.peak" : folders_.memory + "/memory.max_usage_in_bytes";
  return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::uint64_t Cgroup::out_of_memory_kills() const {
  return number_after(
      text_of_file(v2_controls_ ? folders_.v2 + "/memory.events" : folders_.memory + "/memory.oom_control"),
      "oom_kill");
}

std::chrono::nanoseconds Cgroup::cpu_used() const {
  if (!folders_.v2.empty())  // counted without a controller, too
    return std::chrono::microseconds(number_after(text_of_file(folders_.v2 + "/cpu.stat"), "usage_usec"));
  return std::chrono::nanoseconds(number_of_file(folders_.cpu + "/cpuacct.usage"));
}

bool Cgroup::remove() {
  v2_folder_.close();
  bool gone = true;
  for (const std::string* folder :
       {&folders_.v2, &folders_.memory, &folders_.cpu, &folders_.pids, &folders_.freezer}) {
    if (!folder->empty() && ::rmdir(folder->c_str()) != 0 && errno != ENOENT) gone = false;
  }
  return gone;
}

Result<std::unique_ptr<CgroupTree>> CgroupTree::create(const CgroupMounts& mounts, bool v2_controls,
                                                       const std::string& server) {
  const std::string name = fmt::format("{},{}", server, own_mark());
  const auto folder = [&](const std::string& mount) {
    return mount.empty() ? std::string() : fmt::format("{}/{}/{}", mount, kRoom, name);
  };
  Cgroup::Folders folders;
  folders.v2 = folder(mounts.v2);
  if (!v2_controls) {
    folders.memory = folder(mounts.memory);
    folders.cpu = folder(mounts.cpu);
    folders.pids = folder(mounts.pids);
    if (!mounts.v2.empty() && ::access(mounts.v2.c_str(), W_OK) != 0) folders.v2.clear();
    if (folders.v2.empty()) folders.freezer = folder(mounts.freezer);
  }
  for (const std::string* path :
       {&folders.v2, &folders.memory, &folders.cpu, &folders.pids, &folders.freezer}) {
    if (path->empty()) continue;
    const std::string room = path->substr(0, path->rfind('/'));
    const std::string mount = room.substr(0, room.rfind('/'));
    if (v2_controls) {
      if (auto on = hand_down(mount); !on) return on.error();
    }
    // Another supervisor that ends may remove the empty room between these two steps.
    Result<void> made;
    for (int i = 0; i < 10; ++i) {
      if (made = make_folder(room); !made) return made.error();
      if (made = make_folder(*path); made) break;
    }
    if (!made) return made.error();
    if (v2_controls) {
      for (const std::string* group : {&room, path}) {
        if (auto on = hand_down(*group); !on) return on.error();
      }
    }
  }
  return std::unique_ptr<CgroupTree>(new CgroupTree(std::move(folders), v2_controls));
}

CgroupTree::~CgroupTree() {
  for (const std::string* path :
       {&folders_.v2, &folders_.memory, &folders_.cpu, &folders_.pids, &folders_.freezer}) {
    if (path->empty()) continue;
    ::rmdir(path->c_str());
    ::rmdir(path->substr(0, path->rfind('/')).c_str());  // the room, when this was the last supervisor
  }
}

Result<std::unique_ptr<Cgroup>> CgroupTree::group(int number) {
  const auto folder = [&](const std::string& parent) {
    return parent.empty() ? std::string() : fmt::format("{}/{}", parent, number);
  };
  auto made = std::make_unique<Cgroup>(
      Cgroup::Folders{folder(folders_.v2), folder(folders_.memory), folder(folders_.cpu),
                      folder(folders_.pids), folder(folders_.freezer)},
      v2_controls_);
  if (auto done = made->make(); !done) return done.error();
  return made;
}

void CgroupTree::remove_leavings() {
  const CgroupMounts mounts = CgroupMounts::find();
  constexpr int kTries =
      200;  // of 5 ms: a killed process leaves its group when it has been reaped or nearly so
  for (const std::string* mount : {&mounts.v2, &mounts.memory, &mounts.cpu, &mounts.pids, &mounts.freezer}) {
    if (mount->empty()) continue;
    const std::string room = fmt::format("{}/{}", *mount, kRoom);
    for (const std::string& name : folders_in(room)) {
      const std::size_t comma = name.rfind(',');
      if (comma == std::string::npos ||
          state_of_mark(std::string_view(name).substr(comma + 1)) != MarkState::kDead)
        continue;
      const std::string tree = room + "/" + name;
      for (const std::string& group : folders_in(tree)) {
        const std::string path = tree + "/" + group;
        for (int i = 0; i < kTries && ::rmdir(path.c_str()) != 0 && errno == EBUSY; ++i) {
          write_to(path + "/freezer.state", "THAWED");
          write_to(path + "/cgroup.kill", "1");
          kill_all_in(path);
          ::usleep(5'000);
        }
      }
      ::rmdir(tree.c_str());
    }
    ::rmdir(room.c_str());
  }
}

}  // namespace lambed::sandbox
