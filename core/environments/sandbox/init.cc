#include "environments/sandbox/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "environments/sandbox/body_entry.h"
#include "environments/sandbox/connector.h"
#include "environments/sandbox/datagram_relay.h"
#include "environments/sandbox/given.h"
#include "environments/sandbox/messages.h"
#include "environments/sandbox/network.h"
#include "environments/sandbox/posix.h"
#include "environments/sandbox/privileges.h"
#include "environments/sandbox/resolvers.h"
#include "environments/sandbox/tree_watch.h"

namespace lambed::sandbox {
namespace {

class Init {
 public:
  Init(const EntryPlan& plan, const std::function<int(const Inside&)>& body)
      : plan_(plan),
        body_(body),
        waits_(plan.warm_up != nullptr),
        watch_(plan.layer != Layer::kBare, plan.limits) {}

  [[noreturn]] void run() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &signals_);
    const Command go = await(Command::Kind::kGo);
    uid_ = is_root_layer(plan_.layer) ? plan_.uid + static_cast<uid_t>(go.pid) : plan_.uid;
    if (Trouble t = set_up(); t.error != 0) fail(t);
    Report ready;
    ready.kind = Report::Kind::kReady;
    ready.has_tunnel = relay_ != nullptr || tunnel_.is_open();
    send(ready);
    if (!waits_) release_body();
    loop();
  }

 private:
  Command await(Command::Kind kind) const {
    Command command;
    if (receive_message(plan_.control, &command, sizeof command) != sizeof command || command.kind != kind)
      ::_exit(1);
    return command;
  }

  [[noreturn]] void fail(const Trouble& trouble) {
    Report failed;
    failed.kind = Report::Kind::kFailed;
    failed.trouble = trouble;
    send(failed);
    if (plan_.layer == Layer::kBare) ProcessTree(false).kill_all();
    ::_exit(1);
  }

  void send(const Report& report) { send_message(plan_.control, &report, sizeof report); }

  FileView view() const {
    FileView view;
    view.resolv_conf = resolv_conf_;
    view.place = plan_.place;
    view.tmp_bytes = plan_.limits.tmp_bytes;
    view.tmp_image = plan_.tmp_image;
    view.uid = uid_;
    view.gid = is_root_layer(plan_.layer) ? uid_ : plan_.gid;
    view.is_furnished_later = waits_;
    return view;
  }

  Trouble set_up() {
    ::setsid();  // no terminal
    const bool bare = plan_.layer == Layer::kBare;
    Descriptor device = plan_.tunnel == EntryPlan::Tunnel::kNone ? Descriptor() : hold_tunnel_device();
    const std::string resolv_conf = text_of_file(plan_.resolv_conf);
    resolvers_ = name_servers(resolv_conf);
    if (!bare) {
      // Hides where our control groups lie. Older kernels and some containers do not have it; then paths are seen.
      if (::unshare(CLONE_NEWCGROUP) != 0 && errno != EINVAL && errno != EPERM)
        return trouble(errno, "making a control group namespace");
      if (::sethostname("lambda", 6) != 0) return trouble(errno, "setting the host name");
      if (plan_.changes_user && plan_.layer == Layer::kUserNamespace) {
        if (const int error = become(plan_.uid, plan_.gid, true); error != 0)
          return trouble(error, fmt::format("becoming user {}", plan_.uid));
      }
      // Without datagrams, connections are made all the same.
      resolv_conf_ = resolv_conf_inside(resolv_conf, resolvers_.size(), !device.is_open());
      if (Trouble t = enter_file_view(view()); t.error != 0) return t;
      if (is_root_layer(plan_.layer)) await(Command::Kind::kAttached);
    } else {
      if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return trouble(errno, "becoming the reaper");
      if (plan_.changes_user && ::chown(plan_.tmp.c_str(), uid_, plan_.gid) != 0)
        return trouble(errno, "handing over " + plan_.tmp);
      if (!plan_.place.task_root.empty() && ::chdir(plan_.place.task_root.c_str()) != 0)
        return trouble(errno, "entering " + plan_.place.task_root);
    }
    int inner[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, inner) != 0)
      return trouble(errno, "making a socket pair");
    body_pid_ = ::fork();
    if (body_pid_ < 0) return trouble(errno, "starting the process");
    if (body_pid_ == 0) {
      ::close(inner[0]);
      run_body(plan_, uid_, inner[1], signals_, tunnel_plan(device), body_);
    }
    ::close(inner[1]);
    static_cast<void>(device.close());  // its number is somebody else's soon
    close_all_but({plan_.control, plan_.memory_event, plan_.memory_peak_file, inner[0]});
    // Memory that runs out should end the function's processes rather than the one that must report it.
    write_to(fmt::format("/proc/{}/oom_score_adj", body_pid_), "1000");
    inner_ = Descriptor(inner[0]);
    if (!waits_) {
      if (Trouble t = become_small(); t.error != 0) return t;
    } else if (::prctl(PR_SET_DUMPABLE, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
      return trouble(errno, "tying init to the supervisor");
    }
    if (Trouble t = await_body(true); t.error != 0) return t;
    if (!waits_) begin_connections(plan_.network.host_loopback);
    return {};
  }

  // Gives up all that init needs for the set-up only. Nothing that is not trusted may run before.
  Trouble become_small() {
    if (Trouble t = give_up_rights(plan_, uid_, false); t.error != 0) return t;
    if (::prctl(PR_SET_DUMPABLE, 0) != 0) return trouble(errno, "hiding init");
    if (plan_.layer != Layer::kBare && ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
      return trouble(errno, "tying init to the supervisor");
    return {};
  }

  // The first time, what init is to work with comes along.
  Trouble await_body(bool takes_descriptors) {
    Entered entered;
    std::vector<Descriptor> descriptors;
    if (receive_message(inner_.get(), &entered, sizeof entered, &descriptors) != sizeof entered) {
      int status = 0;
      ::waitpid(body_pid_, &status, 0);
      return trouble(ECHILD,
                     fmt::format("entering the sandbox (the process ended with status {:#x})", status));
    }
    if (takes_descriptors && !descriptors.empty()) {
      listener_ = std::move(descriptors.front());
      if (descriptors.size() > 1) tunnel_ = std::move(descriptors[1]);
    }
    return entered.trouble;
  }

  void begin_connections(bool host_loopback) {
    if (!listener_.is_open()) return;
    const bool bare = plan_.layer == Layer::kBare;
    Connector::Rules rules;
    rules.own_network = !bare;
    rules.host_loopback = host_loopback;
    if (bare) rules.unix_sockets_in = plan_.inside.tmp;
    Network network = plan_.network;
    network.host_loopback = host_loopback;
    egress_ = std::make_unique<Egress>(network, !bare, resolvers_);
    connector_ = std::make_unique<Connector>(std::move(listener_), std::move(rules), *egress_);
    if (tunnel_.is_open()) relay_ = std::make_unique<DatagramRelay>(std::move(tunnel_), *egress_);
  }

  // To the function that it was made ahead for.
  void hand_out() {
    const auto given = std::make_unique<Given>();
    if (receive_message(plan_.control, given.get(), sizeof *given) != sizeof *given || !waits_)
      end(SIGKILL, false);  // the supervisor is gone
    if (Trouble t = complete(*given); t.error != 0) fail(t);
    Report ready;
    ready.kind = Report::Kind::kReady;
    send(ready);
    release_body();
  }

  void release_body() {
    const char go = 1;
    send_message(inner_.get(), &go, sizeof go);
    inner_.close();
  }

  Trouble complete(const Given& given) {
    FileView furnished = view();
    furnished.tmp_bytes = given.limits.tmp_bytes;
    if (Trouble t = furnish_file_view(furnished, given.known_task_root(), given.known_layers()); t.error != 0)
      return t;
    watch_.limit_memory(given.limits.memory_bytes);
    if (Trouble t = become_small(); t.error != 0) return t;
    if (const int error = send_message(inner_.get(), &given, sizeof given); error != 0)
      return trouble(error, "handing the process out");
    if (Trouble t = await_body(false); t.error != 0) return t;
    waits_ = false;
    begin_connections(given.host_loopback);
    return {};
  }

  TunnelPlan tunnel_plan(const Descriptor& device) const {
    const Network& network = plan_.network;
    if (!network.address.empty()) return {device.get(), network.address, network.prefix, false};
    // Where the machine has no way by IPv6, names would be looked up and tried for nothing.
    return {device.get(), kAddressInside, kPrefixInside, device.is_open() && has_way_by_ipv6()};
  }

  [[noreturn]] void loop() {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    const Descriptor children(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    reap();  // what ended before the signalfd was there
    if (watches() && !look()) end(SIGKILL, true);
    for (;;) {
      std::vector<pollfd> polled = {{plan_.control, POLLIN, 0}, {children.get(), POLLIN, 0}};
      if (plan_.memory_event >= 0) polled.push_back({plan_.memory_event, POLLIN, 0});
      int patience = watches() ? TreeWatch::kInterval : -1;
      if (connector_) {
        connector_->add_to(polled);
        const int wanted = connector_->patience();
        if (wanted >= 0 && (patience < 0 || wanted < patience)) patience = wanted;
      }
      if (relay_) {
        relay_->add_to(polled);
        const int wanted = relay_->patience();
        if (wanted >= 0 && (patience < 0 || wanted < patience)) patience = wanted;
      }
      if (::poll(polled.data(), polled.size(), patience) < 0) continue;
      if (polled[0].revents != 0) serve();
      if (polled[1].revents != 0) {
        signalfd_siginfo told{};
        while (::read(children.get(), &told, sizeof told) > 0) {
        }
        reap();
      }
      if (plan_.memory_event >= 0 && polled[2].revents != 0) end(SIGKILL, true);
      if (connector_) connector_->serve();
      if (relay_) relay_->serve();
      if (watches() && !look()) end(SIGKILL, true);
    }
  }

  // Without control groups nobody else does; one that waits for its function is ours.
  bool watches() const { return !is_root_layer(plan_.layer) && !waits_; }

  bool look() {
    const bool is_within = watch_.look();
    if (watch_.memory_peak() > told_peak_ && plan_.memory_peak_file >= 0) {
      told_peak_ = watch_.memory_peak();
      const std::string text = fmt::format("{}\n", told_peak_);
      static_cast<void>(!::pwrite(plan_.memory_peak_file, text.data(), text.size(), 0));
    }
    return is_within;
  }

  void serve() {
    Command command;
    const ssize_t got = receive_message(plan_.control, &command, sizeof command, nullptr, false);
    if (got < 0 && errno == EAGAIN) return;
    if (got != sizeof command) end(SIGKILL, false);  // the supervisor is gone
    switch (command.kind) {
      case Command::Kind::kGo:
      case Command::Kind::kAttached:
        return;
      case Command::Kind::kKill:
        end(SIGKILL, false);
      case Command::Kind::kFreeze:
        watch_.freeze(true);
        break;
      case Command::Kind::kThaw:
        watch_.freeze(false);
        break;
      case Command::Kind::kCpuQuota:
        watch_.limit_cpu(command.cores);
        break;
      case Command::Kind::kUsage:
        break;
      case Command::Kind::kHandOut:
        return hand_out();
    }
    Report done;
    done.kind = Report::Kind::kDone;
    done.memory_now = watch_.memory_now();
    done.memory_peak = watch_.memory_peak();
    send(done);
  }

  void reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid == body_pid_) end(status, false);
    }
  }

  // `status` as waitpid has it. What is left of the tree goes with the pid namespace, or is hunted down.
  [[noreturn]] void end(int status, bool out_of_memory) {
    if (plan_.layer == Layer::kBare) ProcessTree(false).kill_all();
    Report ended;
    ended.kind = Report::Kind::kEnded;
    ended.status = status;
    ended.out_of_memory = out_of_memory;
    ended.memory_now = watch_.memory_now();
    ended.memory_peak = watch_.memory_peak();
    send(ended);
    ::_exit(0);
  }

  const EntryPlan& plan_;
  const std::function<int(const Inside&)>& body_;
  bool waits_;  // for the function that it is made for
  TreeWatch watch_;
  sigset_t signals_{};
  std::uint64_t told_peak_ = 0;
  uid_t uid_ = 0;
  pid_t body_pid_ = 0;
  std::string resolv_conf_;  // text of /etc/resolv.conf
  std::vector<sockaddr_storage> resolvers_;
  Descriptor inner_;              // to the body's process, until it runs the body
  Descriptor listener_, tunnel_;  // until there are a connector and a relay
  std::unique_ptr<Egress> egress_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<DatagramRelay> relay_;
};

}  // namespace

[[noreturn]] void run_init(const EntryPlan& plan, const std::function<int(const Inside&)>& body) {
  Init(plan, body).run();
}

}  // namespace lambed::sandbox
