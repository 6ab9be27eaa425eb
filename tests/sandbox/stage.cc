#include "sandbox/stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "environments/sandbox/cgroups.h"
#include "environments/sandbox/landlock.h"
#include "sandbox/internet.h"
#include "sandbox/limits.h"
#include "sandbox/servers.h"
#include "support/slowness.h"

namespace lambed::testing {

namespace fs = std::filesystem;
using namespace sandbox;

std::string text_of_outcome(int error) {
  if (error == 0) return "done";
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : fmt::format("exit {}", error);
}

std::string text_of_ending(const Ending& ending) {
  if (ending.out_of_memory) return "out of memory";
  if (ending.signal != 0) return fmt::format("signal {}", ending.signal);
  return text_of_outcome(ending.exit_code);
}

Ending end_of(Supervisor& supervisor, Child child, int milliseconds) {
  pollfd polled{child.pidfd(), POLLIN, 0};
  if (::poll(&polled, 1, milliseconds) <= 0) supervisor.kill(child);
  return supervisor.finish(std::move(child));
}

std::string in_a_process(const std::function<std::string()>& part) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const std::string text = part();
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t put = ::write(ends[1], text.data() + at, text.size() - at);
      if (put <= 0) break;
      at += static_cast<std::size_t>(put);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char piece[4096];
  for (ssize_t got; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) text += fmt::format("\nthe launcher ended with status {:#x}", status);
  return text;
}

void become_nobody() {
  constexpr uid_t kNobody = 65534;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
      ::setresuid(kNobody, kNobody, kNobody) != 0)
    ::_exit(99);
  ::prctl(PR_SET_DUMPABLE, 1);  // as a program has it that this user started
}

namespace {

constexpr uid_t kNobody = 65534;

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

int listen_at(const char* address, int port) {
  const Internet here(address, port);
  const int fd = ::socket(here.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return ::bind(fd, here.get(), here.size()) == 0 && ::listen(fd, 4096) == 0 ? fd : -1;
}

void listen_unix(const std::string& name, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  (void)!::bind(fd, reinterpret_cast<const sockaddr*>(&address), size);
  if (type == SOCK_STREAM) ::listen(fd, 128);
  if (name.front() != 0) ::chmod(name.c_str(), 0777);
}

// Knocks at the attacker's port from outside, once.
void knock(int port) {
  const Internet there("127.0.0.1", port);
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (::connect(fd, there.get(), there.size()) == 0 && type == SOCK_DGRAM) ::send(fd, "x", 1, MSG_NOSIGNAL);
    ::close(fd);
  }
}

// Outcome of an attack that was not even tried for want of mounts of its own.
constexpr int kNotPlayed = ENOTRECOVERABLE;

// What an attack of root's mounts while nothing holds it back must not be seen by anybody else: whoever cleans up later would
// remove what lies behind it.
bool has_mounts_of_its_own() {
  return ::geteuid() != 0 ||
         (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
}

bool has_mounts_below(const std::string& folder) {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(" " + folder + "/") != std::string::npos) return true;
  return false;
}

class Stage {
 public:
  // As root: everything that only root can prepare.
  std::string prepare() {
    char pattern[] = "/tmp/lambed-stage-XXXXXX";
    if (::mkdtemp(pattern) == nullptr) return "no folder";
    site_.folder = pattern;
    for (const char* name : {"", "/task", "/layer", "/runtime", "/other", "/tmp", "/scratch"}) {
      fs::create_directories(site_.folder + name);
      // Open to all: what stops an attack is to be the sandbox and not an owner.
      ::chmod((site_.folder + name).c_str(), 0777);
    }
    site_.store = site_.folder + "/store.db";
    write_text(site_.store, "secret");
    write_text(site_.folder + "/other/code", "secret");
    for (const char* name : {"/task/code", "/task/victim"}) {
      write_text(site_.folder + name, "code");
      ::chmod((site_.folder + name).c_str(), 0666);
    }
    fs::copy_file("/usr/bin/id", site_.folder + "/task/who");
    ::chmod((site_.folder + "/task/who").c_str(), 04755);
    if (const std::string problem = enter_internet(); !problem.empty()) return problem;
    site_.port = 4711;
    site_.inbound_port = 4712;
    if (listen_at("0.0.0.0", site_.port) < 0 || listen_at("::1", site_.port) < 0 ||
        listen_at("0.0.0.0", site_.mail_port) < 0)
      return "no listeners";
    if (!start_echo(site_.echo_port) || !start_echo(site_.group_port) ||
        listen_at("0.0.0.0", site_.group_port) < 0)
      return "no echo";
    if (fs::exists("/dev/net/tun") && !give_tunnels_to_all()) return "no tunnels";
    listen_unix(site_.folder + "/socket", SOCK_STREAM);
    listen_unix(std::string(1, '\0') + "lambed-test-4711", SOCK_STREAM);
    listen_unix(std::string(1, '\0') + "lambed-test-4711d", SOCK_DGRAM);
    const rlimit descriptors{1024, 1024};
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
    return {};
  }

  void give_to_nobody() {
    for (const auto& entry : fs::recursive_directory_iterator(site_.folder)) {
      if (entry.path().filename() != "who") (void)!::lchown(entry.path().c_str(), kNobody, kNobody);
    }
    (void)!::chown(site_.folder.c_str(), kNobody, kNobody);
  }

  void start_server() {
    memory_ = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::strcpy(static_cast<char*>(memory_), "secret");
    site_.server_memory = memory_;
    site_.server_file = ::open(site_.store.c_str(), O_RDONLY | O_CLOEXEC);
    site_.server_segment = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    site_.server = ::fork();
    if (site_.server != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!::chdir(site_.folder.c_str());
    for (;;) ::pause();
  }

  Spec spec() const {
    Spec spec;
    spec.limits = {kMemory, 1.0, kTmp, kDescriptors, kProcesses};
    spec.place = {site_.folder + "/task", {site_.folder + "/layer"}, {}, site_.folder + "/runtime"};
    spec.network = network_;
    return spec;
  }

  std::string play(Supervisor& supervisor, const Attack& attack, bool prepared) {
    const Inside outside{site_.folder + "/task", site_.folder + "/layer", site_.folder + "/runtime",
                         site_.folder + "/tmp", ""};
    const pid_t control = ::fork();
    if (control == 0) ::_exit(has_mounts_of_its_own() ? attack.deed(site_, outside) : kNotPlayed);
    int status = 0;
    for (int i = 0; i < 4000 * slowness() && ::waitpid(control, &status, WNOHANG) == 0; ++i) {
      ::usleep(5'000);
      if (i % 10 == 9) knock(site_.inbound_port);
    }
    const std::string before =
        WIFEXITED(status) ? text_of_outcome(WEXITSTATUS(status)) : fmt::format("signal {}", WTERMSIG(status));
    if (!fs::exists(site_.folder + "/task/victim")) write_text(site_.folder + "/task/victim", "code");
    ::chmod((site_.folder + "/task/victim").c_str(), 0666);
    for (const char* name : {"/task/more", "/layer/more", "/runtime/more"}) fs::remove(site_.folder + name);
    ::chmod((site_.folder + "/task/code").c_str(), 0666);
    auto child =
        start(supervisor, prepared, [&](const Inside& inside) { return attack.deed(site_, inside); });
    if (!child) return fmt::format("{}\t{}\tnot started: {}\n", attack.name, before, child.error().message());
    pollfd polled{child->pidfd(), POLLIN, 0};
    for (int i = 0; i < 400 * slowness() && ::poll(&polled, 1, 50) == 0; ++i) knock(site_.inbound_port);
    const Ending ending = end_of(supervisor, std::move(*child), 0);
    return fmt::format("{}\t{}\t{}\n", attack.name, before, text_of_ending(ending));
  }

  Result<sandbox::Child> start(Supervisor& supervisor, bool prepared,
                               const std::function<int(const Inside&)>& body) {
    if (!prepared) return supervisor.spawn(spec(), {}, body);
    Spec given = spec();
    given.limits.tmp_bytes = 512ULL << 20;  // the only size that every prepared environment can be given
    const std::function<void()> nothing = [] {};
    auto child = supervisor.prepare(given.place.runtime_paths, {}, nothing, body);
    if (!child) return child;
    if (auto handed_out = supervisor.hand_out(*child, given); !handed_out) return handed_out.error();
    return child;
  }

  std::string run(Layer layer, bool as_root, bool prepared, const std::vector<Attack>& attacks) {
    if (std::string problem = prepare(); !problem.empty()) return "!" + problem;
    if (!as_root) {
      give_to_nobody();
      become_nobody();
    }
    start_server();
    std::string report;
    {
      auto supervisor =
          Supervisor::create({.server = "attacked", .scratch = site_.folder + "/scratch", .layer = layer});
      if (!supervisor) return "!" + supervisor.error().message();
      auto sibling = (*supervisor)->spawn(spec(), {}, [](const Inside&) {
        ::pause();
        return 0;
      });
      if (!sibling) return "!" + sibling.error().message();
      std::istringstream children([&] {
        std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", sibling->pid()));
        std::string text;
        std::getline(file, text);
        return text;
      }());
      children >> site_.sibling;
      for (const Attack& attack : attacks) {
        if (as_root || !attack.needs_root) report += play(**supervisor, attack, prepared);
      }
      (*supervisor)->kill(*sibling);
      (*supervisor)->finish(std::move(*sibling));
    }
    ::kill(site_.server, SIGKILL);
    ::waitpid(site_.server, nullptr, 0);
    ::shmctl(site_.server_segment, IPC_RMID, nullptr);
    return report;
  }

  const std::string& folder() const { return site_.folder; }
  void set_network(const Network& network) { network_ = network; }

 private:
  Network network_;
  Site site_;
  void* memory_ = nullptr;
};

}  // namespace

bool user_namespaces_can_be_had() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::pair<Layer, bool>> stages() {
  const sandbox::CgroupMounts mounts = sandbox::CgroupMounts::find();
  std::vector<std::pair<Layer, bool>> result;
  if (sandbox::landlock_version() > 0) result = {{Layer::kBare, true}, {Layer::kBare, false}};
  if (user_namespaces_can_be_had()) {
    result.emplace_back(Layer::kUserNamespace, true);
    result.emplace_back(Layer::kUserNamespace, false);
  }
  if (mounts.v2_has_all()) result.emplace_back(Layer::kRootCgroup2, true);
  if (mounts.v1_has_all()) result.emplace_back(Layer::kRootCgroup1, true);
  return result;
}

Performance play(Layer layer, bool as_root, const std::vector<Attack>& attacks, bool prepared,
                 const Network& network) {
  std::string folder;
  const std::string report = in_a_process([&] {
    Stage stage;
    stage.set_network(network);
    const std::string result = stage.run(layer, as_root, prepared, attacks);
    if (has_mounts_below(stage.folder()))
      return "!" + stage.folder() + " is left, since something is mounted in it";
    std::error_code ignored;
    fs::remove_all(stage.folder(), ignored);
    return result;
  });
  Performance result;
  if (report.starts_with("!")) result.problem = report.substr(1);
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find('\t'), second = line.rfind('\t');
    if (first == std::string::npos) {
      if (!line.starts_with("!") && !line.empty()) result.problem += line;
      continue;
    }
    result.played[line.substr(0, first)] = {line.substr(first + 1, second - first - 1),
                                            line.substr(second + 1)};
  }
  return result;
}

}  // namespace lambed::testing
