// Workers killed at random under load, and whole servers: each call is answered once, and nothing is left of any of them.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "process/workers.h"
#include "support/slowness.h"

namespace lambed::testing {
namespace {

bool is_long() {
  const char* wanted = std::getenv("LAMBED_TEST_LONG");
  return wanted != nullptr && std::string(wanted) == "yes";
}

// Folders of control groups that supervisors have made, in whatever hierarchies there are; and what they left in /tmp.
std::set<std::string> leavings() {
  std::set<std::string> found;
  std::error_code ignored;
  std::vector<std::string> roots{"/sys/fs/cgroup"};
  for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup", ignored))
    if (entry.is_directory(ignored)) roots.push_back(entry.path());
  for (const std::string& root : roots) {
    std::filesystem::recursive_directory_iterator it(root + "/lambed", ignored);
    for (; !ignored && it != std::filesystem::recursive_directory_iterator(); it.increment(ignored))
      if (it->is_directory(ignored)) found.insert(it->path());
    ignored.clear();
  }
  for (const auto& entry : std::filesystem::directory_iterator("/tmp", ignored))
    if (entry.path().filename().string().starts_with("lambed-tmp-")) found.insert(entry.path());
  return found;
}

std::size_t mounts() {
  std::ifstream file("/proc/self/mountinfo");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
}

std::size_t zombies() {
  std::size_t count = 0;
  for (const ProcessInfo& info : processes_below(getpid())) count += info.state == 'Z' ? 1 : 0;
  return count;
}

BOOST_FIXTURE_TEST_SUITE(storms, WorkersFixture)

BOOST_AUTO_TEST_CASE(each_call_is_answered_once_while_workers_are_killed_at_random) {
  const int kills = is_long() ? 5000 : 200;
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  const std::size_t descriptors = open_descriptors();
  const std::size_t mounted = mounts();

  std::atomic<bool> over{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::atomic<int> wrong{0};
  std::mutex fault_mutex;  // guards fault
  std::string fault;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; !over.load(); ++n) {
        const std::string text = std::to_string(i) + "-" + std::to_string(n);
        const InvokeResult result = run("hello", n % 3 == 0 ? "sleep=3;text=" + text : "text=" + text);
        ++calls;
        const bool is_right = result.ok() ? result.payload == "\"" + text + "\""
                                          : document(result)["errorType"] == "Runtime.ExitError" &&
                                                document(result)["errorMessage"].get<std::string>().find(
                                                    "signal: ") != std::string::npos;
        if (!result.ok()) ++failed;
        if (!is_right) {
          ++wrong;
          const std::lock_guard lock(fault_mutex);
          fault = text + " was answered by " + result.payload;
        }
      }
    });
  }
  std::mt19937 random(7);
  const int signals[] = {SIGKILL, SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGBUS};
  const std::size_t kinds = kIsSanitized ? 2 : std::size(signals);  // sanitizers make exits of crashes
  int killed = 0;
  while (killed < kills) {
    const std::vector<pid_t> victims = worker_processes();
    if (!victims.empty() && kill(victims[random() % victims.size()], signals[random() % kinds]) == 0)
      ++killed;
    // A worker that is killed each time it is set up never comes up, and a sanitizer makes that slow.
    std::this_thread::sleep_for(std::chrono::milliseconds((1 + random() % 8) * (kIsSanitized ? 6 : 1)));
  }
  over = true;
  for (std::thread& caller : callers) caller.join();
  BOOST_TEST_MESSAGE(calls.load() << " calls, " << failed.load() << " ended by " << killed << " kills");
  BOOST_TEST(wrong.load() == 0, fault);
  BOOST_TEST(gateway->usage("hello").requests == static_cast<unsigned>(calls.load()) + 1);

  gateway->delete_function("hello");
  BOOST_TEST(await([] { return worker_processes().empty(); }));
  BOOST_TEST(await([] { return zombies() == 0; }));
  BOOST_TEST(await([&] { return open_descriptors() <= descriptors; }));
  BOOST_TEST(mounts() == mounted);
}

// A server of its own in a forked child, which is killed with calls in flight.
BOOST_AUTO_TEST_CASE(a_server_that_is_killed_leaves_nothing) {
  gateway.reset();
  const std::set<std::string> before = leavings();
  for (int round = 0; round < (is_long() ? 50 : 3); ++round) {
    int ready[2];
    BOOST_REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    const pid_t server = fork();
    if (server == 0) {
      dup2(ready[1], 1);
      execl(self.c_str(), self.c_str(), "--run_test=storms/serves_until_it_is_killed", "--", "serve",
            nullptr);
      _exit(127);
    }
    ::close(ready[1]);
    std::string said;
    char piece[256];
    while (said.find("SERVING") == std::string::npos) {
      const ssize_t got = read(ready[0], piece, sizeof piece);
      BOOST_REQUIRE(got > 0);
      said.append(piece, static_cast<std::size_t>(got));
    }
    std::vector<pid_t> family;
    for (const ProcessInfo& info : processes_below(server)) family.push_back(info.pid);
    BOOST_TEST(family.size() >= 3u);  // a launcher, an init, a worker at the least
    kill(server, SIGKILL);
    waitpid(server, nullptr, 0);
    ::close(ready[0]);
    const auto begin = std::chrono::steady_clock::now();
    std::string survivors;
    const auto are_gone = [&] {
      survivors.clear();
      for (const ProcessInfo& info : all_processes()) {
        if (info.state == 'Z') continue;  // dead; its new parent, the machine's init, takes its time
        if (std::find(family.begin(), family.end(), info.pid) != family.end())
          survivors += info.name + " (" + std::to_string(info.pid) + ", " + info.state + ") ";
      }
      return survivors.empty();
    };
    BOOST_TEST(await(are_gone, 1s * slowness()), "after a second there are " << survivors);
    BOOST_TEST_MESSAGE(family.size() << " processes gone after "
                                     << (std::chrono::steady_clock::now() - begin) / 1ms << " ms");
  }
  // What the last one may have left is taken away by the next that starts.
  gateway.emplace(options());
  create("hello", "echo");
  BOOST_TEST(invoke("hello").ok());
  gateway.reset();
  BOOST_TEST(await([] { return worker_processes().empty(); }));
  std::set<std::string> left;
  const auto none_left = [&] {
    left.clear();
    const std::set<std::string> now = leavings();
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(),
                        std::inserter(left, left.end()));
    // What belongs to a launcher that lives, this process's own or another program's, is no leaving: .../<server>,<pid>.<start>...
    std::erase_if(left, [](const std::string& path) {
      const auto comma = path.rfind(',');
      return comma != std::string::npos &&
             kill(static_cast<pid_t>(std::strtol(path.c_str() + comma + 1, nullptr, 10)), 0) == 0;
    });
    return left.empty();
  };
  BOOST_TEST(await(none_left, 5s), (left.empty() ? std::string() : *left.begin()) << " is left");
}

// Not a test by itself: the server that the one above kills.
BOOST_AUTO_TEST_CASE(serves_until_it_is_killed) {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  if (suite.argc < 2 || std::string(suite.argv[1]) != "serve") return;
  GatewayOptions stocked = options();
  stocked.worker_stock = 2;
  gateway.emplace(stocked);
  create("hello", "echo");
  std::vector<std::thread> callers;
  std::atomic<int> calls{0};
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this, i, &calls] {
      for (int n = 0;; ++n) {
        run("hello", (n + i) % 2 == 0 ? "sleep=5;text=x" : "offspring=1;text=x");
        ++calls;
      }
    });
  }
  BOOST_TEST(await([&] { return calls >= 40; }));
  std::printf("SERVING\n");
  std::fflush(stdout);
  for (std::thread& caller : callers) caller.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
