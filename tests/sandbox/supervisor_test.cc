// What a supervisor promises about the life of an environment, in every layer.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>

#include "environments/sandbox/posix.h"
#include "sandbox/internet.h"
#include "sandbox/lifecycle.h"

namespace lambed::testing {
namespace {

using namespace sandbox;

// "" when the body ends with 0, else how it ended.
std::string run(Supervisor& supervisor, const Spec& spec, const std::function<int(const Inside&)>& body) {
  auto child = supervisor.spawn(spec, {}, body);
  if (!child) return child.error().message();
  const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
  return text == "done" ? "" : text;
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(supervisor)

BOOST_AUTO_TEST_CASE(the_bodys_exit_code_and_signal_are_told) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) { return 3; });
    if (!child) return child.error().message();
    Ending ending = end_of(supervisor, std::move(*child));
    if (ending.exit_code != 3 || ending.signal != 0) return "exit code " + text_of_ending(ending);
    for (const int signal : {SIGSEGV, SIGABRT, SIGKILL, SIGTERM}) {
      child = supervisor.spawn(scratch.spec(), {}, [signal](const Inside&) {
        ::signal(signal, SIG_DFL);  // the test framework's handler is no part of this
        if (signal == SIGABRT) std::abort();
        return ::raise(signal);
      });
      if (!child) return child.error().message();
      ending = end_of(supervisor, std::move(*child));
      if (ending.signal != signal) return fmt::format("signal {}: {}", signal, text_of_ending(ending));
    }
    return {};
  });
}

BOOST_AUTO_TEST_CASE(a_function_finds_its_code_and_layers_and_writes_to_tmp) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = scratch.spec();
    spec.place.layers = {scratch.path() + "/first", scratch.path() + "/second"};
    const bool bare = supervisor.layer() == Layer::kBare;
    return run(supervisor, spec, [bare](const Inside& inside) {
      const auto first_word = [](const std::string& path) {
        std::ifstream file(path);
        std::string word;
        file >> word;
        return word;
      };
      if (first_word(inside.task_root + "/code") != "code") return 101;
      if (first_word(inside.layers + "/shared") != "first") return 102;
      if (!bare && (first_word("/opt/own") != "own" || inside.task_root != "/var/task")) return 103;
      std::ofstream(inside.tmp + "/kept") << "kept";
      if (first_word(inside.tmp + "/kept") != "kept") return 104;
      if (fs::current_path() != inside.task_root) return 105;
      if (first_word("/proc/self/comm").empty() || ::access("/dev/urandom", R_OK) != 0) return 106;
      return ::getuid() == 0 || ::geteuid() == 0 ? 107 : 0;
    });
  });
}

BOOST_AUTO_TEST_CASE(only_descriptors_that_were_named_are_open) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    const int kept = ::dup(1), other = ::dup(1);
    auto child = supervisor.spawn(scratch.spec(), {kept}, [kept, other](const Inside&) {
      if (::fcntl(kept, F_GETFD) < 0) return 101;
      if (::fcntl(other, F_GETFD) >= 0) return 102;
      int open = 0;
      for (int fd = 0; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
      return open == 4 ? 0 : 103;
    });
    if (!child) return child.error().message();
    const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
    return text == "done" ? "" : text;
  });
}

BOOST_AUTO_TEST_CASE(kill_ends_the_whole_tree_at_once) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto* started = shared<std::atomic<int>>();
    auto child =
        supervisor.spawn(scratch.spec(), {}, [started](const Inside&) { return stubborn_tree(started); });
    if (!child) return child.error().message();
    if (!comes_true([&] { return started->load() == 6; })) return "the tree did not grow";
    const auto start = Clock::now();
    supervisor.kill(*child);
    pollfd polled{child->pidfd(), POLLIN, 0};
    if (::poll(&polled, 1, 5000) <= 0) return "the tree lives on";
    const double took = milliseconds_since(start);
    const Ending ending = supervisor.finish(std::move(*child));
    if (ending.signal != SIGKILL) return "ended as " + text_of_ending(ending);
    return took < 500 ? "" : fmt::format("it took {} ms", took);
  });
}

BOOST_AUTO_TEST_CASE(what_a_body_leaves_running_ends_with_it) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto* beats = shared<std::atomic<long>>();
    auto child = supervisor.spawn(scratch.spec(), {}, [beats](const Inside&) {
      if (::fork() == 0) {
        ::setsid();
        if (::fork() != 0) ::_exit(0);
        for (;;) ++*beats;
      }
      while (beats->load() == 0) ::usleep(100);
      return 0;
    });
    if (!child) return child.error().message();
    const std::string ending = text_of_ending(end_of(supervisor, std::move(*child)));
    const long seen = beats->load();
    ::usleep(30'000);
    if (beats->load() != seen) return "an orphan lives on";
    return ending == "done" ? "" : ending;
  });
}

BOOST_AUTO_TEST_CASE(a_frozen_tree_does_nothing_until_it_thaws) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto* beats = shared<std::atomic<long>>();
    auto child = supervisor.spawn(scratch.spec(), {}, [beats](const Inside&) {
      (void)!::fork();
      for (;;) ++*beats;
      return 0;
    });
    if (!child) return child.error().message();
    if (!comes_true([&] { return beats->load() > 0; })) return "it does not run";
    if (auto frozen = supervisor.freeze(*child); !frozen) return frozen.error().message();
    long seen = -1;
    const bool still = comes_true(
        [&] {
          const long now = beats->load();
          ::usleep(30'000);
          return beats->load() == now && (seen = now, true);
        },
        100);
    if (!still) return "it runs on though frozen";
    if (auto thawed = supervisor.thaw(*child); !thawed) return thawed.error().message();
    if (!comes_true([&] { return beats->load() > seen; })) return "it did not thaw";
    // A frozen one can be killed.
    if (auto frozen = supervisor.freeze(*child); !frozen) return frozen.error().message();
    supervisor.kill(*child);
    const Ending ending = end_of(supervisor, std::move(*child), 3000);
    return ending.signal == SIGKILL ? "" : "ended as " + text_of_ending(ending);
  });
}

BOOST_AUTO_TEST_CASE(the_processor_share_holds_from_begin_cpu_quota_on) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    struct Cpu {
      std::atomic<double> seconds{0};
    };
    auto* used = shared<Cpu>();
    Spec spec = scratch.spec();
    spec.limits.cores = 0.25;
    auto child = supervisor.spawn(spec, {}, [used](const Inside&) {
      for (;;) used->seconds.store(cpu_seconds());
      return 0;
    });
    if (!child) return child.error().message();
    if (!comes_true([&] { return used->seconds.load() > 0.3; }, 20'000)) return "it does not run";
    if (auto limited = supervisor.begin_cpu_quota(*child); !limited) return limited.error().message();
    const auto start = Clock::now();
    const double before = used->seconds.load();
    ::usleep(1'000'000);
    const double share = (used->seconds.load() - before) / (milliseconds_since(start) / 1000);
    supervisor.kill(*child);
    end_of(supervisor, std::move(*child));
    // Control groups are exact; stopping and continuing is coarse.
    const bool exact = supervisor.layer() == Layer::kRootCgroup1 || supervisor.layer() == Layer::kRootCgroup2;
    return share < (exact ? 0.30 : 0.45) && share > 0.02 ? "" : fmt::format("its share is {:.2f}", share);
  });
}

BOOST_AUTO_TEST_CASE(the_peak_of_memory_is_that_of_the_whole_tree) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) {
      constexpr std::size_t kEach = 20 << 20;
      for (int i = 0; i < 2; ++i) {
        if (::fork() != 0) continue;
        std::memset(::mmap(nullptr, kEach, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1,
                    kEach);
        ::usleep(200'000);
        ::_exit(0);
      }
      while (::wait(nullptr) > 0) {
      }
      return 0;
    });
    if (!child) return child.error().message();
    const Ending ending = end_of(supervisor, std::move(*child));
    if (ending.exit_code != 0 || ending.signal != 0) return text_of_ending(ending);
    const auto megabytes = ending.memory_peak >> 20;
    return megabytes >= 40 && megabytes < 80 ? "" : fmt::format("the peak is {} MB", megabytes);
  });
}

BOOST_AUTO_TEST_CASE(a_function_can_serve_itself_and_call_out) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they become other users");
  const std::vector<Attack> deeds = {
      {"unix sockets in /tmp",
       [](const Site&, const Inside& inside) {
         sockaddr_un address{};
         address.sun_family = AF_UNIX;
         std::strncpy(address.sun_path, (inside.tmp + "/s").c_str(), sizeof address.sun_path - 1);
         ::unlink(address.sun_path);
         const int server = ::socket(AF_UNIX, SOCK_STREAM, 0), client = ::socket(AF_UNIX, SOCK_STREAM, 0);
         const auto* to = reinterpret_cast<const sockaddr*>(&address);
         if (::bind(server, to, sizeof address) != 0 || ::listen(server, 1) != 0) return errno;
         return outcome(::connect(client, to, sizeof address));
       },
       "done", "done", "EPERM"},  // seccomp cannot tell whose listen it is
      {"loopback",
       [](const Site& site, const Inside&) {
         const Internet here("127.0.0.1", site.inbound_port + 7);
         const int server = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
         if (::bind(server, here.get(), here.size()) != 0 || ::listen(server, 1) != 0) return errno;
         return outcome(::connect(client, here.get(), here.size()));
       },
       "done", "done", "EPERM"},
      {"a server outside",
       [](const Site& site, const Inside&) {
         const Internet there(kOutside, site.port);
         const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
         if (::connect(fd, there.get(), there.size()) != 0) return errno;
         return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0 ? 0
                                                                                                     : EINVAL;
       },
       "done", "done", "done"},
      {"a server outside, without waiting",
       [](const Site& site, const Inside&) {
         const Internet there(kOutside, site.port);
         const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
         if (::connect(fd, there.get(), there.size()) == 0 || errno == EISCONN) return 0;
         if (errno != EINPROGRESS) return errno;
         pollfd polled{fd, POLLOUT, 0};
         if (::poll(&polled, 1, 2000) != 1) return ETIMEDOUT;
         // As some libraries ask whether it is done.
         return ::connect(fd, there.get(), there.size()) == 0 || errno == EISCONN ? 0 : errno;
       },
       "done", "done", "done"},
      {"nobody outside",
       [](const Site& site, const Inside&) {
         const Internet there(kOutside, site.inbound_port + 9);
         const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
         return ::connect(fd, there.get(), there.size()) != 0 && errno == ECONNREFUSED ? 0 : EINVAL;
       },
       "done", "done", "done"},
  };
  for (const auto& stage : stages()) {
    const Performance performance = play(stage.first, stage.second, deeds);
    BOOST_TEST(performance.problem.empty(), performance.problem);
    for (const Attack& deed : deeds) {
      const auto found = performance.played.find(deed.name);
      BOOST_REQUIRE_MESSAGE(found != performance.played.end(), deed.name);
      const char* wanted = stage.first == Layer::kBare ? deed.in_bare : deed.in_root_layers;
      BOOST_TEST(found->second.inside == wanted,
                 fmt::format("{} in '{}': {}", deed.name, name_of(stage.first), found->second.inside));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
