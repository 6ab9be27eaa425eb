// Environments that are made before it is known whose they will be.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>

#include "sandbox/lifecycle.h"

namespace lambed::testing {
namespace {

const std::function<void()> kNothing = [] {};
// The only size that images of environments have which were made ahead.
constexpr std::uint64_t kUsualTmp = 512ULL << 20;

Spec spec_of(const Scratch& scratch) {
  Spec spec = scratch.spec();
  spec.limits.tmp_bytes = kUsualTmp;
  return spec;
}

void in_every_layer_that_prepares(const Part& part) {
  in_every_layer([&part](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (supervisor.can_prepare()) return part(supervisor, scratch);
    auto refused = supervisor.prepare({}, {}, kNothing, [](const Inside&) { return 0; });
    return supervisor.layer() == Layer::kBare && !refused ? "" : "it prepares though it says that it cannot";
  });
}

// "" when the body ends with 0 after the hand-out, else what went wrong.
std::string run_prepared(Supervisor& supervisor, const Spec& spec,
                         const std::function<int(const Inside&)>& body) {
  auto child = supervisor.prepare({}, {}, kNothing, body);
  if (!child) return child.error().message();
  if (auto given = supervisor.hand_out(*child, spec); !given) return given.error().message();
  const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
  return text == "done" ? "" : text;
}

std::string first_word(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(prepared)

BOOST_AUTO_TEST_CASE(a_prepared_environment_has_what_its_function_has) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = spec_of(scratch);
    spec.place.layers = {scratch.path() + "/first", scratch.path() + "/second"};
    return run_prepared(supervisor, spec, [](const Inside& inside) {
      if (inside.task_root != "/var/task" || first_word("/var/task/code") != "code") return 101;
      if (first_word("/opt/shared") != "first" || first_word("/opt/own") != "own") return 102;
      if (fs::current_path() != "/var/task" || first_word("code") != "code") return 103;
      struct statvfs tmp {};
      if (::statvfs("/tmp", &tmp) != 0) return 105;
      const std::uint64_t available = tmp.f_bavail * tmp.f_frsize;
      if (available < kUsualTmp || available > kUsualTmp + (1 << 20)) return 109;
      std::ofstream("/tmp/kept") << "kept";
      if (first_word("/tmp/kept") != "kept") return 104;
      rlimit files{};
      if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max != kDescriptors) return 106;
      if (::getuid() == 0 || ::geteuid() == 0) return 107;
      if (first_word("/etc/resolv.conf").empty() || first_word("/proc/self/comm").empty()) return 108;
      return 0;
    });
  });
}

BOOST_AUTO_TEST_CASE(of_one_layer_opt_is_that_folder_and_without_any_it_is_empty) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = spec_of(scratch);
    std::string problem =
        run_prepared(supervisor, spec, [](const Inside&) { return fs::is_empty("/opt") ? 0 : 101; });
    spec.place.layers = {scratch.path() + "/second"};
    return problem + run_prepared(supervisor, spec, [](const Inside&) {
             return first_word("/opt/own") == "own" && first_word("/opt/shared") == "second" ? 0 : 102;
           });
  });
}

BOOST_AUTO_TEST_CASE(code_and_layers_that_come_late_are_read_only_and_all_there_is) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = spec_of(scratch);
    spec.place.layers = {scratch.path() + "/first"};
    const std::string outside = scratch.path();
    ::chmod((outside + "/task/code").c_str(), 0666);
    ::chmod((outside + "/first/shared").c_str(), 0666);
    return run_prepared(supervisor, spec, [outside](const Inside&) {
      for (const char* file :
           {"/var/task/code", "/var/task/new", "/opt/shared", "/opt/new", "/new", "/etc/new"}) {
        if (::open(file, O_WRONLY | O_CREAT, 0666) >= 0 || (errno != EROFS && errno != EACCES)) return 101;
      }
      if (::chmod("/var/task/code", 0777) == 0 || ::unlink("/var/task/code") == 0) return 102;
      if (::rename("/var/task/code", "/tmp/code") == 0) return 103;
      // Neither other functions' code nor the place where the machine's root was.
      for (const std::string& path : {outside, outside + "/second/own", std::string("/.before"),
                                      std::string("/.before/etc/passwd"), std::string("/root")}) {
        if (::access(path.c_str(), F_OK) == 0 || errno != ENOENT) return 104;
      }
      std::ifstream mounts("/proc/self/mountinfo");
      for (std::string line; std::getline(mounts, line);) {
        if (line.find("/.before") != std::string::npos) return 105;
      }
      if (::umount2("/var/task", MNT_DETACH) == 0 || ::mount("/opt", "/tmp", nullptr, MS_BIND, nullptr) == 0)
        return 106;
      return ::unshare(CLONE_NEWNS) == 0 ? 107 : 0;
    });
  });
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_function_sees_none_and_the_warm_up_is_shut_in) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    struct Seen {
      std::atomic<int> code{-1}, root{-1}, mounts{-1}, done{0};
    };
    auto* seen = shared<Seen>();
    auto child = supervisor.prepare(
        {}, {},
        [seen] {
          seen->code = fs::is_empty("/var/task") ? 0 : 1;
          seen->root = ::getuid() == 0 ? 1 : 0;
          seen->mounts = ::mount("/opt", "/tmp", nullptr, MS_BIND, nullptr) == 0 ? 1 : 0;
          seen->done = 1;
        },
        [](const Inside&) { return first_word("/var/task/code") == "code" ? 0 : 101; });
    if (!child) return child.error().message();
    if (!comes_true([&] { return seen->done.load() == 1; })) return "the warm-up does not run";
    if (seen->code != 0 || seen->root != 0 || seen->mounts != 0)
      return fmt::format("code {}, root {}, mounts {}", seen->code.load(), seen->root.load(),
                         seen->mounts.load());
    if (auto given = supervisor.hand_out(*child, spec_of(scratch)); !given) return given.error().message();
    const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
    return text == "done" ? "" : text;
  });
}

BOOST_AUTO_TEST_CASE(init_keeps_no_rights_once_the_function_runs) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto child = supervisor.prepare({}, {}, kNothing, [](const Inside&) { return ignore_terms_and_wait(); });
    if (!child) return child.error().message();
    if (auto given = supervisor.hand_out(*child, spec_of(scratch)); !given) return given.error().message();
    std::ifstream status(fmt::format("/proc/{}/status", child->pid()));
    std::string problem;
    for (std::string line; std::getline(status, line);) {
      const bool is_set =
          line.starts_with("CapEff") || line.starts_with("CapPrm") || line.starts_with("CapBnd");
      if (is_set && line.find_first_not_of("0\t", line.find(':') + 1) != std::string::npos) problem += line;
      if (line.starts_with("Uid:\t0")) problem += line;
    }
    supervisor.kill(*child);
    end_of(supervisor, std::move(*child));
    return problem;
  });
}

BOOST_AUTO_TEST_CASE(memory_and_processor_are_limited_as_the_function_says) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = spec_of(scratch);
    spec.limits.memory_bytes = 64 << 20;
    auto child = supervisor.prepare({}, {}, kNothing, [](const Inside&) {
      constexpr std::size_t kPiece = 1 << 20;
      for (int i = 0; i < 200; ++i) {
        void* piece = ::mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) return 12;  // by RLIMIT_DATA, where nothing counts the tree
        std::memset(piece, 1, kPiece);
      }
      return 0;
    });
    if (!child) return child.error().message();
    if (auto given = supervisor.hand_out(*child, spec); !given) return given.error().message();
    if (auto limited = supervisor.begin_cpu_quota(*child); !limited) return limited.error().message();
    const Ending ending = end_of(supervisor, std::move(*child));
    const bool counts = supervisor.layer() != Layer::kUserNamespace;
    if (counts ? !ending.out_of_memory : !ending.out_of_memory && ending.exit_code != 12)
      return "ended as " + text_of_ending(ending);
    const std::uint64_t megabytes = ending.memory_peak >> 20;
    return megabytes >= (counts ? 50 : 1) && megabytes <= 64 ? ""
                                                             : fmt::format("the peak is {} MB", megabytes);
  });
}

BOOST_AUTO_TEST_CASE(a_prepared_environment_can_be_given_more_than_it_waited_with) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    Spec spec = spec_of(scratch);
    spec.limits.memory_bytes = 10ULL << 30;
    const std::string problem = run_prepared(supervisor, spec, [](const Inside&) { return 0; });
    if (!problem.empty()) return problem;
    spec.limits.tmp_bytes = 10ULL << 30;
    const auto body = [](const Inside&) {
      struct statvfs tmp {};
      return ::statvfs("/tmp", &tmp) == 0 && tmp.f_bavail * tmp.f_frsize >= 10ULL << 30 ? 0 : 101;
    };
    auto child = supervisor.prepare({}, {}, kNothing, body);
    if (!child) return child.error().message();
    const bool can = supervisor.can_hand_out(*child, spec);
    // An image keeps its size: such a function gets an environment that was not prepared.
    const bool has_image = is_root_layer(supervisor.layer()) && supervisor.why_no_image().empty();
    if (can == has_image) return "it does not know which sizes it can give";
    const auto given = supervisor.hand_out(*child, spec);
    if (given.ok() != can) return "it gives another size than it says";
    const std::string ended = text_of_ending(end_of(supervisor, std::move(*child), can ? 20'000 : 0));
    return ended == (can ? "done" : "signal 9") ? "" : ended;
  });
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_another_one_by_now_is_refused) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they mount");
  for (const auto& stage : stages()) {
    if (stage.first == Layer::kBare || !stage.second) continue;
    const Scratch scratch;
    const std::string problem = in_a_process([&]() -> std::string {
      // Nothing that is mounted here after the child was made reaches it.
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return "no mount namespace";
      auto supervisor =
          Supervisor::create({.server = "tested", .scratch = scratch.path(), .layer = stage.first});
      if (!supervisor) return supervisor.error().message();
      auto child = (*supervisor)->prepare({}, {}, kNothing, [](const Inside&) { return 0; });
      if (!child) return child.error().message();
      if (::mount("mine", (scratch.path() + "/task").c_str(), "tmpfs", 0, nullptr) != 0) return "no tmpfs";
      const auto given = (*supervisor)->hand_out(*child, spec_of(scratch));
      ::umount2((scratch.path() + "/task").c_str(), MNT_DETACH);
      end_of(**supervisor, std::move(*child), 1000);
      return given ? "the folder below the mount was shown" : "";
    });
    BOOST_TEST(problem.empty(), fmt::format("'{}': {}", name_of(stage.first), problem));
  }
}

BOOST_AUTO_TEST_CASE(links_on_the_way_to_the_code_lead_where_they_lead_outside) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    ::symlink((scratch.path() + "/task").c_str(), (scratch.path() + "/link").c_str());
    Spec spec = spec_of(scratch);
    spec.place.task_root = scratch.path() + "/link";
    return run_prepared(supervisor, spec,
                        [](const Inside&) { return first_word("/var/task/code") == "code" ? 0 : 101; });
  });
}

BOOST_AUTO_TEST_CASE(code_that_cannot_be_read_is_told_as_in_a_new_environment) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    auto child = supervisor.prepare({}, {}, kNothing, [](const Inside&) { return 0; });
    if (!child) return child.error().message();
    if (::chmod((scratch.path() + "/task").c_str(), 0) != 0) return {};  // nobody's: it is not its folder
    const auto given = supervisor.hand_out(*child, spec_of(scratch));
    ::chmod((scratch.path() + "/task").c_str(), 0777);
    end_of(supervisor, std::move(*child), 1000);
    return !given ? "" : "it runs";
  });
}

BOOST_AUTO_TEST_CASE(one_that_waits_can_be_killed_and_ends_with_its_supervisor) {
  in_every_layer_that_prepares([](Supervisor& supervisor, const Scratch&) -> std::string {
    auto child = supervisor.prepare({}, {}, kNothing, [](const Inside&) { return 0; });
    if (!child) return child.error().message();
    supervisor.kill(*child);
    const Ending ending = end_of(supervisor, std::move(*child), 5000);
    if (ending.signal != SIGKILL) return "ended as " + text_of_ending(ending);
    auto* init = shared<std::atomic<pid_t>>();
    in_a_process([&]() -> std::string {
      auto own = Supervisor::create({.server = "tested", .scratch = "/tmp", .layer = supervisor.layer()});
      if (!own) return "";
      auto left = (*own)->prepare({}, {}, kNothing, [](const Inside&) { return 0; });
      if (left) *init = left->pid();
      ::raise(SIGKILL);
      return "";
    });
    if (init->load() == 0) return "the second supervisor made none";
    const bool is_gone = comes_true([&] { return ::kill(init->load(), 0) != 0; });
    Supervisor::remove_leavings();
    return is_gone ? "" : "it lives on";
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
