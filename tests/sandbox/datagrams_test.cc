// Datagrams and names of environments, in every layer: real servers, in an internet of the test's own.
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>
#include <sstream>

#include "environments/sandbox/resolvers.h"
#include "sandbox/attack.h"
#include "sandbox/internet.h"
#include "sandbox/lifecycle.h"
#include "sandbox/servers.h"

namespace lambed::testing {
namespace {

using namespace sandbox;

constexpr int kEcho = 4713;
constexpr const char* kStub = "127.0.0.53";  // as systemd has it: on the machine's loopback

struct Wishes {
  bool tunnels = true;
  bool host_loopback = false;
  std::uint64_t memory = kMemory;
};

struct Scene {
  Supervisor& supervisor;
  Spec spec;
  bool is_bare() const { return supervisor.layer() == Layer::kBare; }
  // "" when the body ends with 0.
  std::string run(const std::function<int()>& body) const {
    auto child = supervisor.spawn(spec, {}, [&](const Inside&) { return body(); });
    if (!child) return child.error().message();
    const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
    return text == "done" ? "" : text;
  }
};

// In every layer that lets datagrams out, with an echo and a name server: `part` says what is wrong, or nothing.
void in_every_internet(const Wishes& wishes, const std::function<std::string(const Scene&)>& part) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they become other users");
  const bool machine_has_tunnels = fs::exists("/dev/net/tun");
  for (const auto& stage : stages()) {
    const Scratch scratch;
    std::ofstream(scratch.path() + "/resolv.conf") << "nameserver " << kStub << "\noptions timeout:2\n";
    const std::string problem = in_a_process([&]() -> std::string {
      if (const std::string wrong = enter_internet(); !wrong.empty()) return wrong;
      if (!start_echo(kEcho) || !start_name_server(kStub)) return "no servers";
      if (machine_has_tunnels && !(wishes.tunnels ? give_tunnels_to_all() : take_tunnels_from_all()))
        return "no /dev/net of its own";
      if (!stage.second) become_nobody();
      auto supervisor = Supervisor::create({.server = "tested",
                                            .scratch = scratch.path(),
                                            .resolv_conf = scratch.path() + "/resolv.conf",
                                            .layer = stage.first});
      if (!supervisor) return supervisor.error().message();
      const bool wanted = (wishes.tunnels && machine_has_tunnels) || stage.first == Layer::kBare;
      if ((*supervisor)->lets_datagrams_out() != wanted) return "it lies about its datagrams";
      Scene scene{**supervisor, scratch.spec()};
      scene.spec.network.host_loopback = wishes.host_loopback;
      scene.spec.limits.memory_bytes = wishes.memory;
      return part(scene);
    });
    BOOST_TEST(problem.empty(), fmt::format("{} in '{}': {}", stage.second ? "root" : "nobody",
                                            name_of(stage.first), problem));
  }
}

bool answers(int fd, std::string_view wanted, int milliseconds = 3000) {
  pollfd polled{fd, POLLIN, 0};
  static char text[70'000];
  if (::poll(&polled, 1, milliseconds) <= 0) return false;
  const ssize_t size = ::recv(fd, text, sizeof text, 0);
  const std::string_view got(text, size < 0 ? 0 : static_cast<std::size_t>(size));
  const std::size_t space = got.find(' ');
  return space != std::string_view::npos && got.substr(space + 1) == wanted;
}

int send_to(int fd, const Internet& to, std::string_view text) {
  return outcome(::sendto(fd, text.data(), text.size(), 0, to.get(), to.size()));
}

// 0, or which step failed.
int exchange() {
  const Internet echo(kOutside, kEcho), mapped(fmt::format("::ffff:{}", kOutside).c_str(), kEcho);
  const int loose = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (send_to(loose, echo, "loose") != 0) return 101;
  if (!answers(loose, "loose")) return 102;
  const int tied = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (::connect(tied, echo.get(), echo.size()) != 0) return 103;
  iovec pieces[2] = {{const_cast<char*>("first"), 5}, {const_cast<char*>("second"), 6}};
  mmsghdr messages[2] = {};
  for (int i = 0; i < 2; ++i) {
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  if (::sendmmsg(tied, messages, 2, 0) != 2) return 104;
  if (!answers(tied, "first") || !answers(tied, "second")) return 105;
  const int six = ::socket(AF_INET6, SOCK_DGRAM, 0);
  if (send_to(six, mapped, "six") != 0 || !answers(six, "six")) return 106;
  return send_to(loose, echo, "") == 0 && answers(loose, "") ? 0 : 107;
}

int send_the_longest() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int room = 1 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  const std::string longest(65'507, 'x');
  if (send_to(fd, Internet(kOutside, kEcho), longest) != 0) return 101;
  pollfd polled{fd, POLLIN, 0};
  if (::poll(&polled, 1, 3000) <= 0) return 102;
  static char text[70'000];
  return ::recv(fd, text, sizeof text, 0) == 65'507 ? 0 : 103;
}

// A port at which nobody is: said to whoever is connected to it.
int hear_of_refusal() {
  const Internet nobody(kOutside, kEcho + 1);
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (::connect(fd, nobody.get(), nobody.size()) != 0) return 101;
  if (::send(fd, "x", 1, 0) != 1) return 102;
  pollfd polled{fd, POLLIN, 0};
  if (::poll(&polled, 1, 3000) <= 0) return 103;
  char byte = 0;
  return ::recv(fd, &byte, 1, 0) < 0 && errno == ECONNREFUSED ? 0 : 104;
}

int resolve(const char* name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(name, "80", &hints, &found) != 0 || found == nullptr) return 101;
  char text[64] = {};
  ::getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return std::string_view(text) == "198.51.100.77" ? 0 : 102;
}

// In another process, whose C library has not read resolv.conf yet.
int run_program(std::vector<const char*> words) {
  const pid_t child = ::fork();
  if (child == 0) {
    words.push_back(nullptr);
    ::execv(words.front(), const_cast<char* const*>(words.data()));
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

constexpr const char* kPython = R"(
import socket, sys
found = {a[4][0] for a in socket.getaddrinfo('name.test', 80)}
sys.exit(0 if found == {'198.51.100.77'} else 1))";

// dns.resolve is c-ares, which speaks UDP itself; dns.lookup is the C library.
constexpr const char* kNode = R"(
const dns = require('dns').promises;
Promise.all([dns.resolve4('name.test'), dns.lookup('name.test')]).then(([a, b]) =>
  process.exit(a[0] === '198.51.100.77' && b.address === '198.51.100.77' ? 0 : 1), () => process.exit(2));)";

}  // namespace

BOOST_AUTO_TEST_SUITE(datagrams)

BOOST_AUTO_TEST_CASE(datagrams_go_out_and_their_answers_come_back) {
  in_every_internet({}, [](const Scene& scene) { return scene.run(exchange); });
}

BOOST_AUTO_TEST_CASE(the_longest_datagram_goes_both_ways) {
  in_every_internet({}, [](const Scene& scene) { return scene.run(send_the_longest); });
}

BOOST_AUTO_TEST_CASE(a_port_without_a_listener_is_told_to_the_sender) {
  in_every_internet({}, [](const Scene& scene) { return scene.run(hear_of_refusal); });
}

// The bare layer shares the machine's own resolv.conf, which a test does not change.
BOOST_AUTO_TEST_CASE(names_are_resolved_by_a_server_on_the_machines_loopback) {
  in_every_internet({}, [](const Scene& scene) {
    return scene.is_bare() ? "" : scene.run([] { return resolve("name.test"); });
  });
}

BOOST_AUTO_TEST_CASE(names_are_resolved_by_tcp_where_datagrams_cannot_go_out) {
  in_every_internet({.tunnels = false}, [](const Scene& scene) {
    return scene.is_bare() ? "" : scene.run([] { return resolve("name.test"); });
  });
}

// What a group lets out comes back, from the environment's own address; names are asked for whatever the group says.
BOOST_AUTO_TEST_CASE(a_group_lets_out_what_it_allows) {
  in_every_internet({}, [](Scene scene) -> std::string {
    if (scene.is_bare()) return {};
    scene.spec.network = network_of_group();
    scene.spec.network.allowed->push_back(
        {EgressRule::Protocol::kUdp, kEcho, kEcho, Cidr::parse("198.51.0.0/16").value()});
    return scene.run([] {
      const Internet echo(kOutside, kEcho);
      const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
      if (::connect(fd, echo.get(), echo.size()) != 0) return 101;
      if (::send(fd, "allowed", 7, 0) != 7 || !answers(fd, "allowed")) return 102;
      sockaddr_in own{};
      socklen_t size = sizeof own;
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size);
      if (ntohl(own.sin_addr.s_addr) != 0x0a580005) return 103;  // 10.88.0.5
      return resolve("name.test");
    });
  });
}

BOOST_AUTO_TEST_CASE(a_name_that_nobody_knows_is_answered_at_once) {
  in_every_internet({}, [](const Scene& scene) -> std::string {
    if (scene.is_bare()) return {};
    const auto start = Clock::now();
    const std::string problem = scene.run([] { return resolve("no.test") == 101 ? 0 : 1; });
    const double took = milliseconds_since(start);
    return !problem.empty() ? problem : took < 1900 ? "" : fmt::format("it took {} ms", took);
  });
}

BOOST_AUTO_TEST_CASE(python_and_node_resolve_names) {
  in_every_internet({.memory = 512ULL << 20}, [](const Scene& scene) -> std::string {
    if (scene.is_bare()) return {};
    std::string problem;
    if (fs::exists("/usr/bin/python3"))
      problem = scene.run([] { return run_program({"/usr/bin/python3", "-c", kPython}); });
    if (!problem.empty()) return "Python: " + problem;
    if (fs::exists("/usr/bin/node"))
      problem = scene.run([] { return run_program({"/usr/bin/node", "-e", kNode}); });
    return problem.empty() ? "" : "Node.js: " + problem;
  });
}

BOOST_AUTO_TEST_CASE(a_flood_of_ports_hurts_only_its_own_environment) {
  in_every_internet({}, [](const Scene& scene) -> std::string {
    if (scene.is_bare()) return {};  // the machine's own sockets
    const auto sockets_of_machine = [] {
      std::ifstream file("/proc/net/udp");
      int lines = 0;
      for (std::string line; std::getline(file, line);) ++lines;
      return lines;
    };
    const int before = sockets_of_machine();
    auto* sent = shared<std::atomic<int>>();
    auto flooder = scene.supervisor.spawn(scene.spec, {}, [sent](const Inside&) {
      for (int i = 0; i < 4000; ++i) {
        const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
        if (send_to(fd, Internet(kOutside, kEcho), "flood") != 0) return 101;
        ::close(fd);
        ++*sent;
      }
      // A new one still finds its way, at the cost of the oldest, when the flood has been worked off: what finds no room is lost.
      int code = 1;
      for (int tries = 0; tries < 10 && code != 0; ++tries) code = exchange();
      if (code != 0) return code;
      ++*sent;
      for (;;) ::pause();
    });
    if (!flooder) return flooder.error().message();
    std::string problem = scene.run(exchange);
    if (problem.empty() && !comes_true([&] { return sent->load() == 4001; }, 20'000))
      problem = fmt::format("it got as far as {}", sent->load());
    const int more = sockets_of_machine() - before;
    if (problem.empty() && (more > 256 || more < 200)) problem = fmt::format("it holds {} sockets", more);
    if (problem.empty()) problem = scene.run(exchange);
    scene.supervisor.kill(*flooder);
    const std::string ending = text_of_ending(end_of(scene.supervisor, std::move(*flooder)));
    return problem.empty() ? problem : problem + "; it ended as " + ending;
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(host_loopback)

namespace {

constexpr int kService = 4720;

int listening() {
  const Internet here("0.0.0.0", kService);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return ::bind(fd, here.get(), here.size()) == 0 && ::listen(fd, 16) == 0 ? fd : -1;
}

int connect_to(const char* address, bool blocking = true) {
  const Internet there(address, kService);
  const int fd = ::socket(there.family(), SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
  const int error = outcome(::connect(fd, there.get(), there.size()));
  if (error != EINPROGRESS || blocking) return error;
  pollfd polled{fd, POLLOUT, 0};
  int result = ETIMEDOUT;
  socklen_t size = sizeof result;
  if (::poll(&polled, 1, 3000) > 0) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size);
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_listens_on_the_machine_is_reached_when_that_is_allowed) {
  in_every_internet({.host_loopback = true}, [](const Scene& scene) -> std::string {
    const int listener = listening();
    const std::string problem = scene.run([bare = scene.is_bare()] {
      for (const char* address : {"127.0.0.1", "::ffff:127.0.0.1", kMachine, kMachineInside}) {
        // The bare layer has no addresses of its own.
        if (bare && address == std::string_view(kMachineInside)) continue;
        for (const bool blocking : {true, false})
          if (connect_to(address, blocking) != 0) return connect_to(address, blocking);
      }
      for (const char* address : {kMachine, kMachineInside}) {
        if (bare && address == std::string_view(kMachineInside)) continue;
        const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
        if (send_to(fd, Internet(address, kEcho), "machine") != 0 || !answers(fd, "machine")) return 101;
      }
      return 0;
    });
    ::close(listener);
    return problem;
  });
}

BOOST_AUTO_TEST_CASE(an_environments_own_listener_comes_before_the_machines) {
  in_every_internet({.host_loopback = true}, [](const Scene& scene) -> std::string {
    if (scene.is_bare()) return {};
    const int listener = listening();
    const std::string problem = scene.run([] {
      const int own = listening();
      if (own < 0 || connect_to("127.0.0.1") != 0) return 101;
      pollfd polled{own, POLLIN, 0};
      return ::poll(&polled, 1, 1000) == 1 ? 0 : 102;
    });
    ::close(listener);
    return problem;
  });
}

BOOST_AUTO_TEST_CASE(what_listens_on_the_machine_is_refused_otherwise) {
  in_every_internet({}, [](const Scene& scene) -> std::string {
    const int listener = listening();
    const std::string problem = scene.run([bare = scene.is_bare()] {
      const int refused = bare ? EPERM : ECONNREFUSED;
      for (const bool blocking : {true, false}) {
        if (connect_to("127.0.0.1", blocking) != refused) return 101;
        if (connect_to(kMachine, blocking) != EPERM) return 102;
        if (connect_to(kMachineInside, blocking) != EPERM) return 103;
      }
      if (bare) return 0;
      for (const char* address : {kMachine, kMachineInside}) {
        const Internet there(address, kEcho);
        const int loose = ::socket(AF_INET, SOCK_DGRAM, 0), tied = ::socket(AF_INET, SOCK_DGRAM, 0);
        if (::connect(tied, there.get(), there.size()) == 0 || errno != EPERM) return 104;
        if (send_to(loose, there, "machine") != 0 || answers(loose, "machine", 300)) return 105;
      }
      return 0;
    });
    ::close(listener);
    return problem;
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
