#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "catalog/readers.h"
#include "environments/sandbox/cgroups.h"
#include "environments/sandbox/child_state.h"
#include "environments/sandbox/given.h"
#include "environments/sandbox/image_keeper.h"
#include "environments/sandbox/init.h"
#include "environments/sandbox/landlock.h"
#include "environments/sandbox/messages.h"
#include "environments/sandbox/posix.h"
#include "environments/sandbox/sandbox.h"
#include "environments/sandbox/users.h"

namespace lambed::sandbox {
namespace {

namespace fs = std::filesystem;

// Of what waits for its function: more than any function has, since some hierarchies let limits only be lowered.
constexpr std::uint64_t kAmple = 16ULL << 30;
// Of its /tmp, where that cannot be given another size later: what functions have that do not ask for more.
constexpr std::uint64_t kUsualTmp = 512ULL << 20;
constexpr std::string_view kFolderPrefix = "lambed-tmp-";

class KernelSupervisor final : public Supervisor {
 public:
  static Result<std::unique_ptr<Supervisor>> create(Layer layer, const SupervisorOptions& options) {
    const bool root = ::geteuid() == 0;
    if (is_root_layer(layer) && !root) return Error(ErrorCode::ServiceException, "it needs root");
    SeccompChoice choice;
    choice.shares_the_machine = layer == Layer::kBare;
    choice.refuse_unchecked_truncation = layer == Layer::kBare && landlock_version() < 3;
    choice.refuse_unseen_memory = !is_root_layer(layer);
    auto program = SeccompProgram::compile(choice);
    if (!program) return program.error();
    if (layer == Layer::kBare && landlock_version() == 0) {
      return Error(
          ErrorCode::ServiceException,
          "the kernel has no Landlock; it needs Linux 5.13 with landlock in the boot parameter lsm=");
    }
    std::unique_ptr<KernelSupervisor> made(new KernelSupervisor(layer, options, std::move(*program)));
    if (root && !is_root_layer(layer)) made->join_readers();
    if (is_root_layer(layer)) {
      const CgroupMounts mounts = CgroupMounts::find();
      const bool v2 = layer == Layer::kRootCgroup2;
      if (v2 && !mounts.v2_has_all()) {
        return Error(ErrorCode::ServiceException,
                     mounts.v2.empty()
                         ? "no cgroup v2 is mounted"
                         : fmt::format("cgroup v2 at {} does not have the controllers memory, cpu and pids "
                                       "(it has: '{}')",
                                       mounts.v2, mounts.v2_controllers));
      }
      if (!v2 && !mounts.v1_has_all()) {
        return Error(ErrorCode::ServiceException,
                     "the cgroup v1 controllers memory, cpu and pids are not all mounted");
      }
      auto tree = CgroupTree::create(mounts, v2, options.server);
      if (!tree) return tree.error();
      made->cgroups_ = std::move(*tree);
      made->images_ = ImageKeeper::start({folder_on_disk({options.scratch, "/var/tmp"}), v2}, kUsualTmp);
    }
    // Whether a layer works is seen by using it: kernels, containers and security modules refuse in too many ways to list.
    auto tried = made->make(Spec{}, std::nullopt, {}, nullptr, [](const Inside&) { return 0; });
    if (!tried) return tried.error();
    const Ending ending = made->finish(std::move(*tried));
    if (ending.exit_code != 0 || ending.signal != 0) {
      return Error(
          ErrorCode::ServiceException,
          fmt::format("a process in it ended with exit code {}, signal {}", ending.exit_code, ending.signal));
    }
    // Later ones are made as the first one could be.
    if (made->tunnel_ == EntryPlan::Tunnel::kIfPossible) made->tunnel_ = EntryPlan::Tunnel::kNone;
    return std::unique_ptr<Supervisor>(std::move(made));
  }

  ~KernelSupervisor() override {
    if (!groups_.empty()) ::setgroups(groups_.size(), groups_.data());
  }

  Layer layer() const override { return layer_; }
  std::string why_no_image() override {
    if (!images_) return {};
    const Trouble why = images_->trial();
    return why.error == 0 ? "" : fmt::format("{}: {}", why.step, std::strerror(why.error));
  }
  bool lets_datagrams_out() const override {
    return layer_ == Layer::kBare || tunnel_ == EntryPlan::Tunnel::kNeeded;
  }

  Result<Child> spawn(const Spec& spec, const std::vector<int>& keep,
                      const std::function<int(const Inside&)>& body) override {
    return make(spec, spec.limits.tmp_bytes, keep, nullptr, body);
  }

  bool can_prepare() const override { return layer_ != Layer::kBare; }

  Result<Child> prepare(const std::vector<std::string>& runtime_paths, const std::vector<int>& keep,
                        const std::function<void()>& warm_up,
                        const std::function<int(const Inside&)>& body) override {
    if (!can_prepare())
      return Error(
          ErrorCode::ServiceException,
          fmt::format("The sandbox ({}) cannot be set up before the function is known", name_of(layer_)));
    Spec spec;
    spec.limits.memory_bytes = kAmple;
    spec.limits.tmp_bytes = kAmple;
    spec.place.runtime_paths = runtime_paths;
    return make(spec, kUsualTmp, keep, &warm_up, body);
  }

  bool can_hand_out(const Child& child, const Spec& spec) const override {
    const Child::State& state = child.state();
    return state.image.bytes() == 0 || state.image.bytes() == spec.limits.tmp_bytes;
  }

  Result<void> hand_out(Child& child, const Spec& spec) override {
    Child::State& state = child.state();
    if (!can_hand_out(child, spec))
      return Error(ErrorCode::ServiceException, "A prepared process cannot be given a /tmp of that size");
    auto given = Given::describe(spec);
    if (!given) return given.error();
    state.limits = spec.limits;
    if (state.cgroup) {
      if (auto set = state.cgroup->limit(spec.limits.memory_bytes, spec.limits.processes + 1); !set)
        return set;
    }
    const Command command{Command::Kind::kHandOut, 0, 0};
    int error = send_message(state.control.get(), &command, sizeof command);
    if (error == 0) error = send_message(state.control.get(), given->get(), sizeof **given);
    if (error != 0) return system_error("Could not hand a prepared process out", error);
    return state.await_ready(layer_);
  }

  Result<void> begin_cpu_quota(Child& child) override {
    Child::State& state = child.state();
    if (state.cgroup) return state.cgroup->limit_cpu(state.limits.cores);
    return answered(state.ask(Command::Kind::kCpuQuota, state.limits.cores), "limit the processor share");
  }

  Result<void> freeze(Child& child) override {
    Child::State& state = child.state();
    if (state.cgroup && state.cgroup->can_freeze()) return state.cgroup->freeze(true);
    return answered(state.ask(Command::Kind::kFreeze), "freeze");
  }

  Result<void> thaw(Child& child) override {
    Child::State& state = child.state();
    if (state.cgroup && state.cgroup->can_freeze()) return state.cgroup->freeze(false);
    return answered(state.ask(Command::Kind::kThaw), "thaw");
  }

  void kill(Child& child) override { child.state().end(); }

  Usage usage(const Child& child) override {
    Child::State& state = child.state();
    if (state.cgroup)
      return {state.cgroup->memory_now(), state.cgroup->memory_peak(), state.cgroup->cpu_used()};
    const std::optional<Report> report = state.ask(Command::Kind::kUsage);
    return report ? Usage{report->memory_now, report->memory_peak, {}} : Usage{};
  }

  Descriptor memory_peak_file(const Child& child) override {
    const Child::State& state = child.state();
    if (state.cgroup) return state.cgroup->memory_peak_file();
    return Descriptor(::fcntl(state.memory_peak.get(), F_DUPFD_CLOEXEC, 0));
  }

  Ending finish(Child child) override {
    Child::State& state = child.state();
    Ending ending = state.await_end();
    if (state.cgroup) {
      ending.memory_peak = state.cgroup->memory_peak();
      if (state.cgroup->out_of_memory_kills() > 0) ending.out_of_memory = true;
      // The kernel takes a moment to let go of a group whose last process was reaped.
      for (int i = 0; i < 200 && !state.cgroup->remove(); ++i) ::usleep(500);
    }
    if (ending.out_of_memory) {
      ending.signal = SIGKILL;
      ending.exit_code = 0;
    }
    if (!state.tmp.empty()) {
      std::error_code ignored;
      fs::remove_all(state.tmp, ignored);
    }
    return ending;
  }

 private:
  KernelSupervisor(Layer layer, const SupervisorOptions& options, SeccompProgram program)
      : layer_(layer),
        options_(options),
        program_(std::move(program)),
        users_(layer),
        mark_(own_mark()),
        tunnel_(layer == Layer::kBare ? EntryPlan::Tunnel::kNone : EntryPlan::Tunnel::kIfPossible) {}

  // None: /tmp is a tmpfs then. Where it always is, `lambed doctor` says so; of one among others its log does.
  TmpImage image_for(std::uint64_t tmp_bytes, std::string& notice) {
    TmpImage image;
    if (!images_) return image;
    const Trouble why = images_->take(tmp_bytes, image);
    if (why.error != 0 && !images_->has_given_up())
      notice = fmt::format(
          "lambed: the /tmp of this environment is memory of the function: no image for it could be made "
          "({}: {})",
          why.step, std::strerror(why.error));
    return image;
  }

  // `image`: how large the one for /tmp is to be.
  Result<Child> make(const Spec& spec, std::optional<std::uint64_t> image, const std::vector<int>& keep,
                     const std::function<void()>* warm_up, const std::function<int(const Inside&)>& body) {
    const int number = ++count_;
    auto state = std::make_unique<Child::State>();
    state->limits = spec.limits;
    std::string notice;
    if (image) state->image = image_for(*image, notice);
    EntryPlan plan;
    plan.tmp_image = state->image.mount();
    plan.layer = layer_;
    plan.limits = spec.limits;
    plan.place = spec.place;
    plan.network = spec.network;
    plan.resolv_conf = options_.resolv_conf;
    plan.tunnel = tunnel_;
    plan.keep = keep;
    plan.warm_up = warm_up;
    plan.program = &program_;
    plan.changes_user = ::geteuid() == 0;
    plan.uid = users_.uid(number);
    plan.gid = users_.gid(number);
    plan.inside = {"/var/task", "/opt", spec.place.runtime.empty() ? "" : "/var/runtime", "/tmp", ""};
    Descriptor event;
    if (layer_ == Layer::kBare) {
      auto folder = make_folder(number);
      if (!folder) return folder.error();
      state->tmp = *folder;
      plan.tmp = *folder;
      plan.inside = {spec.place.task_root, spec.place.layers.empty() ? "" : spec.place.layers.front(),
                     spec.place.runtime, *folder, ""};
    }
    plan.inside.notice = std::move(notice);
    if (cgroups_) {
      auto group = cgroups_->group(number);
      if (!group) return group.error();
      state->cgroup = std::move(*group);
      if (auto set = state->cgroup->limit(spec.limits.memory_bytes, spec.limits.processes + 1); !set)
        return set.error();
      auto memory_event = state->cgroup->out_of_memory_event();
      if (!memory_event) return memory_event.error();
      event = std::move(*memory_event);
      plan.memory_event = event.get();
    } else {
      state->memory_peak = Descriptor(::memfd_create("lambed-memory-peak", MFD_CLOEXEC));
      plan.memory_peak_file = state->memory_peak.get();
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      return system_error("Could not make a socket pair", errno);
    state->control = Descriptor(ends[0]);
    const Descriptor theirs(ends[1]);
    plan.control = ends[1];
    if (const int error = fork_init(*state, plan, body); error != 0)
      return system_error("Could not start a process in the sandbox", error);
    if (auto started = start(*state); !started) {
      state->end();
      return started.error();  // the state's end waits
    }
    state->image.let_go();
    return Child(std::move(state));
  }

  static Result<void> answered(const std::optional<Report>& report, const char* what) {
    if (report && report->kind == Report::Kind::kDone) return {};
    return Error(ErrorCode::ServiceException,
                 fmt::format("Could not {} the environment: its init does not answer", what));
  }

  // Without mounts of its own an environment reaches its code by the paths of the machine, as another user than root; in a user
  // namespace its own mounts are made by that user. It inherits the group.
  void join_readers() {
    groups_.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    if (::getgroups(static_cast<int>(groups_.size()), groups_.data()) < 0) groups_.clear();
    catalog::join_readers();
  }

  Result<std::string> make_folder(int number) {
    const std::string path =
        fmt::format("{}/{}{},{},{}", options_.scratch, kFolderPrefix, options_.server, number, mark_);
    if (::mkdir(path.c_str(), 0700) != 0) return system_error("Could not make the folder " + path, errno);
    return path;
  }

  // 0, or errno.
  int fork_init(Child::State& state, const EntryPlan& plan, const std::function<int(const Inside&)>& body) {
    if (layer_ == Layer::kBare) {
      state.pid = ::fork();
      if (state.pid < 0) return errno;
      if (state.pid == 0) run_init(plan, body);
      state.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, state.pid, 0)));
      return state.pidfd.is_open() ? 0 : errno;
    }
    int pidfd = -1;
    clone_args arguments{};
    arguments.flags = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (layer_ == Layer::kUserNamespace) arguments.flags |= CLONE_NEWUSER;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    if (state.cgroup && state.cgroup->v2_descriptor() >= 0) {
      arguments.flags |= CLONE_INTO_CGROUP;
      arguments.cgroup = static_cast<std::uint64_t>(state.cgroup->v2_descriptor());
    }
    // glibc does not know of this child, and has the parent's thread id in it. All it does is what run_init does: system
    // calls and fork(), which puts that right in the process that runs the body.
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) return errno;
    if (pid == 0) run_init(plan, body);
    state.pid = static_cast<pid_t>(pid);
    state.pidfd = Descriptor(pidfd);
    return 0;
  }

  Result<void> start(Child::State& state) {
    if (layer_ == Layer::kUserNamespace) {
      if (auto mapped = users_.map(state.pid); !mapped) return mapped;
    }
    Command go;
    go.pid = users_.part_of(state.pid);
    if (const int error = send_message(state.control.get(), &go, sizeof go); error != 0)
      return system_error("Could not start the sandbox", error);
    if (state.cgroup) {
      // The kernel may take milliseconds for it, in which init makes its mounts.
      if (auto attached = state.cgroup->attach(state.pid, false); !attached) return attached;
      const Command done{Command::Kind::kAttached, 0, 0};
      send_message(state.control.get(), &done, sizeof done);
    }
    auto ready = state.await_ready(layer_);  // also of an init that is gone
    // What could be had once must be had always: functions do not lose their datagrams by chance.
    if (ready.ok() && state.has_tunnel) tunnel_ = EntryPlan::Tunnel::kNeeded;
    return ready;
  }

  const Layer layer_;
  const SupervisorOptions options_;
  const SeccompProgram program_;
  const Users users_;
  const std::string mark_;
  std::unique_ptr<CgroupTree> cgroups_;
  std::shared_ptr<ImageKeeper> images_;  // in the root layers
  std::vector<gid_t> groups_;            // that this process had before
  EntryPlan::Tunnel tunnel_;
  int count_ = 0;
};

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::create(const SupervisorOptions& options) {
  std::string reasons;
  for (const Layer layer : kLayers) {
    if (options.layer && *options.layer != layer) continue;
    auto made = KernelSupervisor::create(layer, options);
    if (made) return made;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", name_of(layer), made.error().message());
  }
  return Error(ErrorCode::ServiceException, "No sandbox can be had here. " + reasons);
}

void Supervisor::remove_leavings(const std::string& scratch) {
  CgroupTree::remove_leavings();
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(scratch, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kFolderPrefix)) continue;
    if (state_of_mark(std::string_view(name).substr(name.rfind(',') + 1)) == MarkState::kDead)
      fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace lambed::sandbox
