// What the tests of an environment's life share: every layer, as root and as nobody, each in a process of its own.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "environments/sandbox/cgroups.h"
#include "sandbox/limits.h"
#include "sandbox/stage.h"

namespace lambed::testing {

namespace fs = std::filesystem;
using namespace sandbox;
using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A folder for a part that may run as nobody; gone with it.
class Scratch {
 public:
  Scratch() {
    char pattern[] = "/tmp/lambed-scratch-XXXXXX";
    path_ = ::mkdtemp(pattern);
    for (const char* name : {"", "/task", "/first", "/second"}) {
      fs::create_directories(path_ + name);
      ::chmod((path_ + name).c_str(), 0777);
    }
    std::ofstream(path_ + "/task/code") << "code";
    std::ofstream(path_ + "/first/shared") << "first";
    std::ofstream(path_ + "/second/shared") << "second";
    std::ofstream(path_ + "/second/own") << "own";
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  Spec spec() const {
    Spec spec;
    spec.limits = {kMemory, 0.5, kTmp, kDescriptors, kProcesses};
    spec.place.task_root = path_ + "/task";
    return spec;
  }

 private:
  std::string path_;
};

using Part = std::function<std::string(Supervisor&, const Scratch&)>;

// In every layer, in a process of its own: `part` says what is wrong, or nothing.
inline void in_every_layer(const Part& part) {
  BOOST_REQUIRE_MESSAGE(::geteuid() == 0, "these tests must run as root: they become other users");
  for (const auto& stage : stages()) {
    const Scratch scratch;
    const std::string problem = in_a_process([&]() -> std::string {
      if (!stage.second) become_nobody();
      auto supervisor =
          Supervisor::create({.server = "tested", .scratch = scratch.path(), .layer = stage.first});
      if (!supervisor) return supervisor.error().message();
      return part(**supervisor, scratch);
    });
    BOOST_TEST(problem.empty(), fmt::format("{} in '{}': {}", stage.second ? "root" : "nobody",
                                            name_of(stage.first), problem));
  }
}

// Memory that parent and child both see.
template <class T>
T* shared() {
  return new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) T{};
}

inline int ignore_terms_and_wait() {
  ::signal(SIGTERM, SIG_IGN);
  for (;;) ::pause();
}

// A tree that wants to stay: sessions of its own, orphans, ears shut.
inline int stubborn_tree(std::atomic<int>* started) {
  for (int i = 0; i < 6; ++i) {
    if (::fork() != 0) continue;
    if (i % 2 == 0) ::setsid();
    if (i == 5 && ::fork() != 0) ::_exit(0);
    ++*started;
    ignore_terms_and_wait();
  }
  return ignore_terms_and_wait();
}

template <class Condition>
bool comes_true(const Condition& condition, int milliseconds = 5000) {
  for (int i = 0; i < milliseconds; ++i) {
    if (condition()) return true;
    ::usleep(1000);
  }
  return false;
}

}  // namespace lambed::testing
