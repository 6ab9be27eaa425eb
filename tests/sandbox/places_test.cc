// Where the groups of cgroup v2 are made: at the root of the hierarchy, in a service's own part of it, in a container's. Needs a
// machine with the controllers of v2 (`./dev machine` makes one); elsewhere there is nothing to try.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <sstream>

#include "sandbox/lifecycle.h"

namespace lambed::testing {
namespace {

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::size_t folders_in(const std::string& path) {
  std::size_t count = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) count += entry.is_directory() ? 1 : 0;
  return count;
}

// A group that controllers were handed down to, and what is in it when everything has ended.
class Service {
 public:
  explicit Service(const std::string& mount) : mount_(mount), path_(mount + "/lambed-tested.service") {
    write(mount_ + "/cgroup.subtree_control", "+memory +cpu +pids");
    fs::create_directory(path_);
  }
  ~Service() {
    for (const std::string& group : {path_ + "/lambed-server", path_}) {
      for (int i = 0; i < 1000 && ::rmdir(group.c_str()) != 0 && errno == EBUSY; ++i) ::usleep(1000);
    }
  }
  const std::string& path() const { return path_; }
  void enter(const std::string& group = "") const { write(path_ + group + "/cgroup.procs", "0"); }

 private:
  std::string mount_, path_;
};

// Says what is wrong with a supervisor that this process starts, whose groups are to be below `place`.
std::string serve_below(const std::string& place, const std::string& server_group) {
  const Scratch scratch;
  std::string problem;
  {
    auto supervisor =
        Supervisor::create({.server = "placed", .scratch = scratch.path(), .layer = Layer::kRootCgroup2});
    if (!supervisor) return supervisor.error().message();
    auto child = (*supervisor)->spawn(scratch.spec(), {}, [](const Inside&) { return ::pause(); });
    if (!child) return child.error().message();
    if (folders_in(place + "/lambed") != 1) problem = "its groups are not below " + place;
    const std::string own = first_line_of("/proc/self/cgroup");
    if (!own.ends_with(server_group)) problem = "the server is in " + own;
    (*supervisor)->kill(*child);
    end_of(**supervisor, std::move(*child));
  }
  if (problem.empty() && folders_in(place + "/lambed") != 0) problem = "groups are left";
  return problem;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(places)

BOOST_AUTO_TEST_CASE(a_service_that_systemd_delegates_to_keeps_to_its_own_part_of_the_tree) {
  const CgroupMounts mounts = CgroupMounts::find();
  if (!mounts.v2_has_all()) return;
  const Service service(mounts.v2);
  BOOST_REQUIRE(::setxattr(service.path().c_str(), "trusted.delegate", "1", 1, 0) == 0);
  // The first launcher hands the controllers down; the second one is a child of the server that was moved by that.
  for (const char* group : {"", "/lambed-server"}) {
    BOOST_TEST(in_a_process([&] {
                 service.enter(group);
                 return serve_below(service.path(), "/lambed-tested.service/lambed-server");
               }) == "");
  }
}

BOOST_AUTO_TEST_CASE(a_container_uses_the_group_that_is_the_root_of_its_namespace) {
  const CgroupMounts mounts = CgroupMounts::find();
  if (!mounts.v2_has_all()) return;
  const Service container(mounts.v2);
  BOOST_TEST(in_a_process([&]() -> std::string {
               container.enter();
               if (::unshare(CLONE_NEWCGROUP | CLONE_NEWNS) != 0) return "no namespace of groups";
               ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
               ::umount2(mounts.v2.c_str(), MNT_DETACH);
               if (::mount("cgroup2", mounts.v2.c_str(), "cgroup2", 0, nullptr) != 0) return "no mount";
               return serve_below(mounts.v2, "/lambed-server");
             }) == "");
}

BOOST_AUTO_TEST_CASE(groups_that_may_not_be_written_are_an_error_that_names_them) {
  const CgroupMounts mounts = CgroupMounts::find();
  if (!mounts.v2_has_all()) return;
  const std::string problem = in_a_process([&]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0) return "no namespace of mounts";
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount(nullptr, mounts.v2.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
      return "it cannot be made read-only";
    return serve_below(mounts.v2, "");
  });
  BOOST_TEST(problem.find("cgroup.subtree_control: Read-only file system") != std::string::npos, problem);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace lambed::testing
