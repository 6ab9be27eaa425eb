// /tmp: its size, whose it is, and that it is no memory of the function where it is an image on disk.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "environments/sandbox/disk_image.h"
#include "sandbox/lifecycle.h"
#include "support/slowness.h"

namespace lambed::testing {
namespace {

constexpr std::uint64_t kMegabyte = 1ULL << 20;
constexpr std::uint64_t kUsual = 512 * kMegabyte;

// Loop devices whose file has no name any more: nobody's but images like ours.
std::size_t unnamed_loops() {
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/sys/block", ignored)) {
    std::ifstream file(entry.path() / "loop/backing_file");
    std::string name;
    std::getline(file, name);
    count += name.find("(deleted)") != std::string::npos ? 1 : 0;
  }
  return count;
}

bool has_image(Supervisor& supervisor) {
  return is_root_layer(supervisor.layer()) && supervisor.why_no_image().empty();
}

std::string outcome_of(Supervisor& supervisor, const Spec& spec, int (*body)(const Inside&)) {
  auto child = supervisor.spawn(spec, {}, body);
  if (!child) return child.error().message();
  const std::string text = text_of_ending(end_of(supervisor, std::move(*child), 120'000 * slowness()));
  return text == "done" ? "" : text;
}

// Bytes that went into one file until there was no space any more; what is read back must be what was written.
std::uint64_t fill_and_read_back(const char* path) {
  static char piece[1 << 20], read_back[1 << 20];
  std::memset(piece, 7, sizeof piece);
  const int fd = ::open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  std::uint64_t written = 0;
  ssize_t put = 0;
  while ((put = ::write(fd, piece, sizeof piece)) > 0) written += static_cast<std::uint64_t>(put);
  if (put >= 0 || errno != ENOSPC || ::lseek(fd, 0, SEEK_SET) != 0) return 0;
  for (std::uint64_t at = 0; at < written;) {
    const ssize_t got = ::read(fd, read_back, sizeof read_back);
    if (got <= 0 || std::memcmp(piece, read_back, static_cast<std::size_t>(got)) != 0) return 0;
    at += static_cast<std::uint64_t>(got);
  }
  ::close(fd);
  return written;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tmp)

BOOST_AUTO_TEST_CASE(a_function_of_128_mb_fills_its_512_mb_and_goes_on) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    Spec spec = scratch.spec();
    spec.limits.memory_bytes = 128 * kMegabyte;
    spec.limits.tmp_bytes = kUsual;
    return outcome_of(supervisor, spec, [](const Inside&) {
      // Most of its memory is in use.
      constexpr std::size_t kUsed = 80 * kMegabyte;
      void* used = ::mmap(nullptr, kUsed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (used == MAP_FAILED) return 101;
      std::memset(used, 1, kUsed);
      for (int i = 0; i < 2; ++i) {
        const std::uint64_t written = fill_and_read_back("/tmp/big");
        if (written < kUsual || written > kUsual + kMegabyte) return 102 + i;
        // What is removed can be used again.
        if (::unlink("/tmp/big") != 0) return 104;
      }
      const auto* bytes = static_cast<const char*>(used);
      return std::all_of(bytes, bytes + kUsed, [](char byte) { return byte == 1; }) ? 0 : 105;
    });
  });
}

BOOST_AUTO_TEST_CASE(pages_of_tmp_that_are_mapped_and_dirty_end_no_function) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    Spec spec = scratch.spec();
    spec.limits.memory_bytes = 128 * kMegabyte;
    spec.limits.tmp_bytes = kUsual;
    return outcome_of(supervisor, spec, [](const Inside&) {
      constexpr std::size_t kSize = 400 * kMegabyte;
      const int fd = ::open("/tmp/mapped", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
      if (fd < 0 || ::ftruncate(fd, kSize) != 0) return 101;
      void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (memory == MAP_FAILED) return 102;
      std::memset(memory, 1, kSize);
      return 0;
    });
  });
}

BOOST_AUTO_TEST_CASE(it_belongs_to_the_function_and_holds_nothing_at_first) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    return outcome_of(supervisor, scratch.spec(), [](const Inside& inside) {
      struct stat found {};
      if (::stat(inside.tmp.c_str(), &found) != 0 || found.st_uid != ::getuid() ||
          found.st_gid != ::getgid() || (found.st_mode & 07777) != 0700)
        return 101;
      if (!fs::is_empty(inside.tmp)) return 102;
      struct statvfs space {};
      if (::statvfs(inside.tmp.c_str(), &space) != 0) return 103;
      if (inside.tmp != "/tmp") return 0;  // a folder
      const std::uint64_t available = space.f_bavail * space.f_frsize;
      if (available < kTmp || available > kTmp + kMegabyte) return 104;
      if ((space.f_flag & ST_NOSUID) == 0 || (space.f_flag & ST_NODEV) == 0 ||
          (space.f_flag & ST_NOEXEC) != 0)
        return 105;
      return ::chmod("/tmp", 0755) == 0 && ::chmod("/tmp", 0700) == 0 ? 0 : 106;
    });
  });
}

BOOST_AUTO_TEST_CASE(every_size_that_can_be_configured_has_room_for_as_much) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    Spec spec = scratch.spec();
    // More sizes than images are kept ready for, and the first one again.
    for (const std::uint64_t megabytes : {512, 513, 1023, 2048, 5000, 10240, 512}) {
      spec.limits.tmp_bytes = megabytes * kMegabyte;
      auto child = supervisor.spawn(spec, {}, [bytes = spec.limits.tmp_bytes](const Inside&) {
        struct statvfs space {};
        if (::statvfs("/tmp", &space) != 0) return 101;
        const std::uint64_t available = space.f_bavail * space.f_frsize;
        if (available < bytes || available > bytes + 5 * kMegabyte) return 102;
        const int fd = ::open("/tmp/whole", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        return ::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0 ? 0 : 103;
      });
      if (!child) return child.error().message();
      const std::string text = text_of_ending(end_of(supervisor, std::move(*child)));
      if (text != "done") return fmt::format("{} MB: {}", megabytes, text);
    }
    return {};
  });
}

BOOST_AUTO_TEST_CASE(no_environment_finds_what_another_one_wrote) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    for (int i = 0; i < 12; ++i) {
      const std::string problem = outcome_of(supervisor, scratch.spec(), [](const Inside& inside) {
        if (!fs::is_empty(inside.tmp)) return 101;
        fs::create_directories(inside.tmp + "/a/b/c");
        std::ofstream(inside.tmp + "/a/b/c/file") << std::string(100'000, 'x');
        return 0;
      });
      if (!problem.empty()) return problem;
    }
    return {};
  });
}

BOOST_AUTO_TEST_CASE(images_go_with_their_environments_and_with_a_killed_supervisor) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    // Those of this supervisor that are ready stay.
    const auto settled = [] {
      std::size_t last = unnamed_loops();
      comes_true(
          [&] {
            ::usleep(300'000);
            return std::exchange(last, unnamed_loops()) == last;
          },
          20);
      return last;
    };
    const std::size_t before = settled();
    std::vector<Child> children;
    for (int i = 0; i < 8; ++i) {
      auto child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) {
        std::ofstream("/tmp/file") << "left";
        return ::pause();
      });
      if (!child) return child.error().message();
      children.push_back(std::move(*child));
    }
    if (!comes_true([&] { return unnamed_loops() >= before + 8; })) return "they have no images";
    for (Child& child : children) {
      supervisor.kill(child);
      end_of(supervisor, std::move(child));
    }
    // As many of this size as are kept ready beside those of the usual one.
    if (!comes_true([&] { return unnamed_loops() <= before + 4; }, 20'000))
      return fmt::format("{} loop devices are left, {} were there", unnamed_loops(), before);
    const std::size_t kept = settled();
    in_a_process([&]() -> std::string {
      auto own =
          Supervisor::create({.server = "tested", .scratch = scratch.path(), .layer = supervisor.layer()});
      if (!own) return {};
      auto left = (*own)->spawn(scratch.spec(), {}, [](const Inside&) { return ::pause(); });
      if (left && comes_true([&] { return unnamed_loops() > kept; })) ::raise(SIGKILL);
      return {};
    });
    const bool is_gone = comes_true([&] { return unnamed_loops() <= kept; }, 20'000);
    Supervisor::remove_leavings(scratch.path());
    return is_gone ? "" : fmt::format("{} loop devices are left, {} were there", unnamed_loops(), kept);
  });
}

BOOST_AUTO_TEST_CASE(who_makes_images_may_be_killed) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    auto child = supervisor.spawn(scratch.spec(), {}, [](const Inside&) { return ::pause(); });
    if (!child) return child.error().message();
    // The only other child of this process.
    std::ifstream children(fmt::format("/proc/self/task/{}/children", ::getpid()));
    int killed = 0;
    for (pid_t pid = 0; children >> pid;) {
      if (pid != child->pid() && ::kill(pid, SIGKILL) == 0) ++killed;
    }
    if (killed != 1) return fmt::format("{} processes were killed", killed);
    for (int i = 0; i < 6; ++i) {
      const std::string problem = outcome_of(supervisor, scratch.spec(), [](const Inside&) {
        std::ofstream("/tmp/file") << "text";
        return fs::file_size("/tmp/file") == 4 ? 0 : 101;
      });
      if (!problem.empty()) return problem;
    }
    pollfd polled{child->pidfd(), POLLIN, 0};
    if (::poll(&polled, 1, 0) != 0) return "the environment is gone";
    supervisor.kill(*child);
    end_of(supervisor, std::move(*child));
    return has_image(supervisor) ? "" : "there are no images any more";
  });
}

// On a machine where what it takes is missing.
BOOST_AUTO_TEST_CASE(without_loop_devices_or_mke2fs_it_is_a_tmpfs_and_that_is_said) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they mount");
  for (const auto& stage : stages()) {
    if (!is_root_layer(stage.first)) continue;
    for (const char* missing : {"/dev/loop-control", "/usr/sbin/mke2fs"}) {
      if (!fs::exists(missing)) continue;
      const Scratch scratch;
      const std::string problem = in_a_process([&]() -> std::string {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("/dev/null", missing, nullptr, MS_BIND, nullptr) != 0)
          return "no mounts of its own";
        // The other name of the same file.
        if (std::string_view(missing).starts_with("/usr") && !fs::is_symlink("/sbin")) return {};
        auto supervisor =
            Supervisor::create({.server = "tested", .scratch = scratch.path(), .layer = stage.first});
        if (!supervisor) return supervisor.error().message();
        const std::string why = (*supervisor)->why_no_image();
        if (why.find(fs::path(missing).filename()) == std::string::npos &&
            why.find("loop device") == std::string::npos)
          return "it says: " + why;
        auto own = (*supervisor)->spawn(scratch.spec(), {}, [](const Inside&) {
          struct statvfs space {};
          if (::statvfs("/tmp", &space) != 0 || space.f_blocks * space.f_frsize != kTmp) return 101;
          std::ofstream("/tmp/file") << "text";
          return fs::file_size("/tmp/file") == 4 ? 0 : 102;
        });
        if (!own) return own.error().message();
        const std::string text = text_of_ending(end_of(**supervisor, std::move(*own)));
        return text == "done" ? "" : text;
      });
      BOOST_TEST(problem.empty(), fmt::format("{} in '{}': {}", missing, name_of(stage.first), problem));
    }
  }
}

// No file of the machine's disk can be that large.
BOOST_AUTO_TEST_CASE(an_environment_whose_image_could_not_be_made_says_so) {
  in_every_layer([](Supervisor& supervisor, const Scratch& scratch) -> std::string {
    if (!has_image(supervisor)) return {};
    Spec spec = scratch.spec();
    std::string problem =
        outcome_of(supervisor, spec, [](const Inside& inside) { return inside.notice.empty() ? 0 : 101; });
    if (!problem.empty()) return problem;
    spec.limits.tmp_bytes = std::uint64_t{1} << 60;
    return outcome_of(supervisor, spec, [](const Inside& inside) {
      return inside.notice.find("memory of the function") != std::string::npos ? 0 : 102;
    });
  });
}

BOOST_AUTO_TEST_CASE(images_are_not_put_where_they_would_be_memory) {
  BOOST_TEST(sandbox::folder_on_disk({"/dev/shm", "/proc/nowhere"}) == "");
  BOOST_TEST(sandbox::folder_on_disk({"/dev/shm", "/usr"}) == "/usr");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
