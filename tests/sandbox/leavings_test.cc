// Nothing stays behind: not after many environments, and not after a supervisor was killed.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "sandbox/lifecycle.h"
#include "support/slowness.h"

namespace lambed::testing {
namespace {

std::size_t entries(const std::string& path) {
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) count += entry.path().empty() ? 0 : 1;
  return count;
}

std::size_t lines_of(const std::string& path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

// Dead ones that nobody has waited for among them.
std::size_t children_of_this() {
  std::ifstream children(fmt::format("/proc/self/task/{}/children", ::getpid()));
  std::size_t count = 0;
  for (pid_t pid = 0; children >> pid;) ++count;
  return count;
}

// Folders of control groups of servers with this name.
std::size_t cgroups_of(const std::string& server) {
  const CgroupMounts mounts = CgroupMounts::find();
  std::size_t count = 0;
  std::error_code ignored;
  for (const std::string* mount : {&mounts.v2, &mounts.memory, &mounts.cpu, &mounts.pids, &mounts.freezer}) {
    if (mount->empty()) continue;
    for (const auto& entry : fs::recursive_directory_iterator(*mount + "/lambed", ignored)) {
      if (entry.is_directory() && entry.path().string().find("/" + server + ",") != std::string::npos)
        ++count;
    }
  }
  return count;
}

std::size_t folders_of_tmp(const std::string& scratch) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(scratch))
    count += entry.path().filename().string().starts_with("lambed-tmp-") ? 1 : 0;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(leavings)

BOOST_AUTO_TEST_CASE(a_hundred_environments_that_end_in_every_way_leave_nothing) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    const std::size_t processes = children_of_this();
    const std::size_t descriptors = entries("/proc/self/fd"), mounts = lines_of("/proc/self/mountinfo"),
                      groups = cgroups_of("tested");
    std::mt19937 random(4711);  // NOLINT: the same every time
    for (int i = 0; i < 100; ++i) {
      const int way = static_cast<int>(random() % 4);
      const auto body = [way](const Inside& inside) {
        std::ofstream(inside.tmp + "/file") << "left";
        if (way == 0) return 0;
        if (way == 1) return ::raise(SIGKILL);
        if (way == 2) (void)!::fork();
        return ::pause();
      };
      // Half of them waited for their function; some of those in vain.
      const bool waits = i % 2 == 1 && supervisor.can_prepare();
      auto child = waits ? supervisor.prepare(
                               {}, {}, [] {}, body)
                         : supervisor.spawn(scratch.spec(), {}, body);
      if (!child) return child.error().message();
      if (waits && i % 8 == 1) {
        supervisor.kill(*child);
      } else if (waits) {
        Spec spec = scratch.spec();
        spec.limits.tmp_bytes = 512ULL << 20;
        if (auto given = supervisor.hand_out(*child, spec); !given) return given.error().message();
      }
      if (way == 2 && !supervisor.freeze(*child)) return "it cannot be frozen";
      if (way >= 2) supervisor.kill(*child);
      end_of(supervisor, std::move(*child));
    }
    // Images for /tmp that are ready have one each, of the two sizes.
    if (entries("/proc/self/fd") > descriptors + 8) return "descriptors are left";
    if (lines_of("/proc/self/mountinfo") != mounts) return "mounts are left";
    if (cgroups_of("tested") != groups) return "control groups are left";
    if (folders_of_tmp(scratch.path()) != 0) return "folders are left";
    return children_of_this() == processes ? "" : "processes are left";
  });
}

BOOST_AUTO_TEST_CASE(a_supervisor_that_is_killed_takes_its_environments_along_and_the_next_one_cleans_up) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they become other users");
  for (const auto& stage : stages()) {
    const Scratch scratch;
    const std::string where =
        fmt::format("{} in '{}'", stage.second ? "root" : "nobody", name_of(stage.first));
    int alive[2];  // its end is closed when the last process that holds it is gone
    BOOST_REQUIRE(::pipe2(alive, O_CLOEXEC) == 0);
    auto* started = shared<std::atomic<int>>();
    const pid_t server = ::fork();
    if (server == 0) {
      if (!stage.second) become_nobody();
      auto supervisor =
          Supervisor::create({.server = "killed", .scratch = scratch.path(), .layer = stage.first});
      if (!supervisor) ::_exit(2);
      std::vector<Child> children;
      for (int i = 0; i < 2; ++i) {
        auto child = (*supervisor)->spawn(scratch.spec(), {alive[1]}, [started](const Inside&) {
          return stubborn_tree(started);
        });
        if (!child) ::_exit(3);
        children.push_back(std::move(*child));
        while (started->load() < 6 * (i + 1)) ::usleep(1000);
      }
      if (!(*supervisor)->freeze(children.front())) ::_exit(4);
      ::kill(::getpid(), SIGKILL);
    }
    ::close(alive[1]);
    int status = 0;
    ::waitpid(server, &status, 0);
    BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), where << ": " << status);
    BOOST_TEST(started->load() == 12, where);
    pollfd polled{alive[0], POLLIN, 0};
    BOOST_TEST(::poll(&polled, 1, 1000 * slowness()) == 1, where << ": processes live on after a second");
    ::close(alive[0]);
    Supervisor::remove_leavings(scratch.path());
    BOOST_TEST(cgroups_of("killed") == 0U, where);
    BOOST_TEST(folders_of_tmp(scratch.path()) == 0U, where);
  }
}

BOOST_AUTO_TEST_CASE(cleaning_up_leaves_those_alone_who_live) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) { return ::pause(); });
    if (!child) return child.error().message();
    const std::size_t groups = cgroups_of("tested"), folders = folders_of_tmp(scratch.path());
    Supervisor::remove_leavings(scratch.path());
    if (cgroups_of("tested") != groups || folders_of_tmp(scratch.path()) != folders)
      return "it took what was in use";
    pollfd polled{child->pidfd(), POLLIN, 0};
    if (::poll(&polled, 1, 0) != 0) return "the environment is gone";
    supervisor.kill(*child);
    end_of(supervisor, std::move(*child));
    return {};
  });
}

BOOST_AUTO_TEST_CASE(code_that_the_function_may_not_read_is_an_error_that_says_so) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    const std::size_t processes = children_of_this();
    Spec spec = scratch.spec();
    spec.place.task_root = scratch.path() + "/missing";
    auto child = supervisor.spawn(spec, {}, [](const Inside&) { return 0; });
    if (child) return "a folder that is not there was taken";
    if (child.error().message().find("missing") == std::string::npos) return child.error().message();
    if (children_of_this() != processes) return "a process is left";
    if (::geteuid() != 0) return {};
    // Root's own folder, and functions do not run as root.
    ::chmod(scratch.spec().place.task_root.c_str(), 0700);
    child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) { return 0; });
    if (child) return "a folder that only root may enter was taken";
    return child.error().message().find("chmod") != std::string::npos ? "" : child.error().message();
  });
}

BOOST_AUTO_TEST_CASE(what_an_environment_costs_is_said) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    constexpr int kTimes = 60;
    std::vector<double> plain, spawned, killed;
    for (int i = 0; i < kTimes; ++i) {
      auto start = Clock::now();
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
      plain.push_back(milliseconds_since(start));
      start = Clock::now();
      auto environment = supervisor.spawn(scratch.spec(), {}, [](const Inside&) { return ::pause(); });
      if (!environment) return environment.error().message();
      spawned.push_back(milliseconds_since(start));
      start = Clock::now();
      supervisor.kill(*environment);
      pollfd polled{environment->pidfd(), POLLIN, 0};
      ::poll(&polled, 1, 5000);
      killed.push_back(milliseconds_since(start));
      supervisor.finish(std::move(*environment));
    }
    const auto median = [](std::vector<double>& values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    const double fork_ms = median(plain), spawn_ms = median(spawned), kill_ms = median(killed);
    std::fprintf(stderr, "%s: fork %.2f ms, spawn %.2f ms, kill %.2f ms (p50)\n", name_of(supervisor.layer()),
                 fork_ms, spawn_ms, kill_ms);
    // Ten times the aims: this is about a mistake in the order, not about a busy machine.
    return spawn_ms < fork_ms + 50 * slowness() && kill_ms < 50 * slowness()
               ? ""
               : fmt::format("spawn {} ms, kill {} ms", spawn_ms, kill_ms);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
