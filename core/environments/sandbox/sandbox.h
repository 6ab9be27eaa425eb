// Processes that nobody trusts, shut in: what they may use is limited, what they may see and reach is chosen.
//
// A Supervisor belongs to a process that has one thread, and to that thread: it forks, and PR_SET_PDEATHSIG ends its children
// with the thread that made them. It owns every control group, namespace, mount and folder that it makes.
// An environment is a tree of processes with two that are ours: `init`, which the supervisor forks, sets the sandbox up, makes
// the connections of the environment and reaps; and below it the process that runs the caller's body.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"
#include "model/egress.h"

namespace lambed::sandbox {

// The sets of means, best first. enforcement.h says what each one enforces.
enum class Layer {
  kRootCgroup2,    // root, with the controllers memory, cpu and pids of cgroup v2
  kRootCgroup1,    // root, with those controllers as v1
  kUserNamespace,  // namespaces without root, no control groups
  kBare,           // seccomp, Landlock and resource limits only
};
inline constexpr Layer kLayers[] = {Layer::kRootCgroup2, Layer::kRootCgroup1, Layer::kUserNamespace,
                                    Layer::kBare};
// With control groups.
constexpr bool is_root_layer(Layer layer) {
  return layer == Layer::kRootCgroup2 || layer == Layer::kRootCgroup1;
}
const char* name_of(Layer layer);  // "root with cgroup v2"
// As LAMBED_SANDBOX_LAYER names them: "cgroup2", "cgroup1", "user", "bare".
const char* word_for(Layer layer);
std::optional<Layer> layer_of_word(std::string_view word);

struct Limits {
  std::uint64_t memory_bytes = 128ULL << 20;
  double cores = 128.0 / 1769;  // holds from begin_cpu_quota() on
  std::uint64_t tmp_bytes = 512ULL << 20;
  int descriptors = 1024;
  int processes = 1024;  // and threads; init is not counted
};

// Folders of this machine that the environment sees, read-only. All paths are absolute.
struct Place {
  std::string task_root;                   // inside: /var/task
  std::vector<std::string> layers;         // inside: /opt, where the first one wins
  std::vector<std::string> runtime_paths;  // inside: at their own paths
  std::string runtime;                     // inside: /var/runtime; may be empty
};

// Which addresses it has, and what it may reach. Nothing of it is seen outside: whoever is spoken to sees the machine's address.
struct Network {
  bool host_loopback = false;  // may reach what listens on this machine's loopback and addresses
  std::string address;         // IPv4; empty: as on AWS without a VPC. In kBare there is none
  int prefix = 32;
  std::optional<std::vector<EgressRule>> allowed;  // nothing: everything but what is never allowed
  std::vector<Cidr> unreachable;                   // where environments live: nobody answers there
};

struct Spec {
  Limits limits;
  Place place;
  Network network;
};

// Where the body finds its things: in kBare the host's own paths, else as on AWS.
struct Inside {
  std::string task_root;  // "/var/task"
  std::string layers;     // "/opt"; in kBare the first layer's folder, or empty
  std::string runtime;    // "/var/runtime", or empty
  std::string tmp;        // "/tmp": the only place that can be written
  std::string notice;     // in what this environment is less than others of its layer; empty as it should be
};

struct Ending {
  int exit_code = 0;           // of the body's process; 0 with a signal
  int signal = 0;              // that ended it; SIGKILL after kill() and when memory ran out
  bool out_of_memory = false;  // the tree met its memory limit
  std::uint64_t memory_peak = 0;
};

struct Usage {
  std::uint64_t memory_bytes = 0;  // of the whole tree, now
  std::uint64_t memory_peak = 0;
  std::chrono::nanoseconds cpu{0};  // 0 where there are no control groups
};

// One environment. Dropping it without finish() kills the tree, and leaves its folders to the supervisor's end.
class Child {
 public:
  struct State;
  explicit Child(std::unique_ptr<State> state);
  Child(Child&&) noexcept;
  Child& operator=(Child&&) noexcept;
  ~Child();

  pid_t pid() const;  // of init, in the supervisor's namespace
  int pidfd() const;  // readable when the whole tree is gone
  State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Reason of spawn()'s error when a process of the new environment was killed while it set itself up.
inline constexpr char kEndedInSetUp[] = "EndedInSetUp";

struct SupervisorOptions {
  std::string server = "lambed";  // names the control groups; letters, digits, '-' and '_'
  std::string scratch =
      "/tmp";  // where folders for /tmp are made, and images if it is on a disk, else in /var/tmp
  std::string resolv_conf = "/etc/resolv.conf";
  std::optional<Layer> layer;  // exactly this one, or an error; empty: the best there is
};

class Supervisor {
 public:
  // Errors: no layer, or not the wanted one, can be had; the message says what is missing for each and how to get it.
  static Result<std::unique_ptr<Supervisor>> create(const SupervisorOptions& options);
  virtual ~Supervisor() = default;  // kills what is left
  Supervisor() = default;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  virtual Layer layer() const = 0;
  // Datagrams of an environment reach the outside. Not where it has its own network and /dev/net/tun cannot be opened.
  virtual bool lets_datagrams_out() const = 0;
  // In the root layers: why /tmp is a tmpfs, whose pages count as memory of the environment; empty: it is not. Waits for the first
  // image.
  virtual std::string why_no_image() = 0;

  // Forks. The child enters the sandbox and ends with body's value as its exit status, by _exit. In it only 0, 1, 2 and `keep`
  // are open. Returns when the body is about to run. Errors: what could not be set up, and why; nothing is left then.
  virtual Result<Child> spawn(const Spec& spec, const std::vector<int>& keep,
                              const std::function<int(const Inside&)>& body) = 0;

  // An environment that does not know yet whose it is, made ahead so that its start costs nothing later. Like spawn(), but shut
  // in it calls `warm_up`, which must run nothing that is not trusted, and waits for hand_out(); only then it sees code and
  // layers, and runs the body. Not in kBare, where the walls are made of the paths: can_prepare() says so.
  virtual bool can_prepare() const = 0;
  virtual Result<Child> prepare(const std::vector<std::string>& runtime_paths, const std::vector<int>& keep,
                                const std::function<void()>& warm_up,
                                const std::function<int(const Inside&)>& body) = 0;
  // By the size of /tmp, which not every prepared environment can be given any more; spawn() can.
  virtual bool can_hand_out(const Child& child, const Spec& spec) const = 0;
  // Returns when the body is about to run. Spec's runtime and runtime_paths do not count. Errors: what it takes is not to be had
  // in a prepared environment; it is then of no use, and spawn() may still work.
  virtual Result<void> hand_out(Child& child, const Spec& spec) = 0;

  // The limit of cores holds from now on; before, start-up takes what it can get.
  virtual Result<void> begin_cpu_quota(Child& child) = 0;
  // No process of the tree runs until thaw(). Both are idempotent.
  virtual Result<void> freeze(Child& child) = 0;
  virtual Result<void> thaw(Child& child) = 0;
  // Ends the whole tree, frozen or not. Does not wait: the pidfd says when it is done.
  virtual void kill(Child& child) = 0;
  virtual Usage usage(const Child& child) = 0;
  // A file whose text, read anew each time, is the tree's highest memory use in bytes; for who asks often.
  virtual Descriptor memory_peak_file(const Child& child) = 0;
  // Only when the pidfd is readable, else it waits. Reaps, reads the counters, removes what belonged to the environment.
  virtual Ending finish(Child child) = 0;

  // Kills and removes what supervisors left that died without being able to. Safe at any time, beside others that live.
  static void remove_leavings(const std::string& scratch = "/tmp");
};

}  // namespace lambed::sandbox
