// Control groups, of both versions: where they are mounted, and one group for each environment.
//
// A supervisor has one folder in each hierarchy it uses, <place>/lambed/<server>,<mark>, and in it one for each environment.
// The mark says whose it is, so that what a killed supervisor left can be told from what a living one uses. The place is the
// root of the hierarchy, or with v2 the group that systemd has delegated to this service. Thread: the supervisor's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace lambed::sandbox {

// What is mounted, by /proc/self/mountinfo. Nothing is changed by looking.
struct CgroupMounts {
  std::string v2;                          // the folder below which groups are made; empty: none
  std::string v2_controllers;              // that it has: "cpu memory pids"
  std::string memory, cpu, pids, freezer;  // mount points of v1; empty: none

  static CgroupMounts find();
  bool v1_has_all() const { return !memory.empty() && !cpu.empty() && !pids.empty(); }
  bool v2_has_all() const;
};

// One environment's group in every hierarchy.
class Cgroup {
 public:
  // `folders`: one folder a hierarchy. v1 or v2 alone, or v1 with a v2 hierarchy without controllers beside it, which freezes
  // and kills faster.
  struct Folders {
    std::string v2, memory, cpu, pids, freezer;
  };
  Cgroup(Folders folders, bool v2_controls);
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup();  // remove()

  Result<void> make();
  Result<void> limit(std::uint64_t memory_bytes, int processes);
  Result<void> limit_cpu(double cores);
  // Descriptor for CLONE_INTO_CGROUP; -1 without v2.
  int v2_descriptor() const { return v2_folder_.get(); }
  // Moves a process into the v1 groups; and into v2's, unless it was cloned there.
  Result<void> attach(int pid, bool v2_too);
  // v1: an eventfd that becomes readable when the group met its memory limit. v2 ends the whole group by itself.
  Result<Descriptor> out_of_memory_event();

  bool can_freeze() const { return !folders_.v2.empty() || !folders_.freezer.empty(); }
  Result<void> freeze(bool frozen);
  // Thaws, and sends SIGKILL to every process of the group.
  void kill();

  std::uint64_t memory_now() const;
  std::uint64_t memory_peak() const;
  Descriptor memory_peak_file() const;
  std::uint64_t out_of_memory_kills() const;
  std::chrono::nanoseconds cpu_used() const;

  // False while processes are in it.
  bool remove();

 private:
  Folders folders_;
  bool v2_controls_;
  Descriptor v2_folder_;
};

// The supervisor's folders.
class CgroupTree {
 public:
  // Makes <mount>/lambed/<server>,<own mark> in each hierarchy, with the controllers on. Errors say what cannot be written.
  static Result<std::unique_ptr<CgroupTree>> create(const CgroupMounts& mounts, bool v2_controls,
                                                    const std::string& server);
  CgroupTree(const CgroupTree&) = delete;
  CgroupTree& operator=(const CgroupTree&) = delete;
  ~CgroupTree();

  // A group that is made already.
  Result<std::unique_ptr<Cgroup>> group(int number);

  static void remove_leavings();

 private:
  CgroupTree(Cgroup::Folders folders, bool v2_controls)
      : folders_(std::move(folders)), v2_controls_(v2_controls) {}
  Cgroup::Folders folders_;
  bool v2_controls_;
};

}  // namespace lambed::sandbox
