#include "environments/sandbox/body_entry.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "environments/sandbox/given.h"
#include "environments/sandbox/landlock.h"
#include "environments/sandbox/messages.h"
#include "environments/sandbox/posix.h"
#include "environments/sandbox/privileges.h"

namespace lambed::sandbox {
namespace {

FileAccess files_of(const EntryPlan& plan) {
  FileAccess access;
  access.devices = kDevices;
  access.writable = {plan.inside.tmp};
  if (plan.layer != Layer::kBare) {
    access.readable = {"/"};  // what is there was chosen already
    access.devices.push_back("/proc/self");
    return access;
  }
  access.readable = kSystemFolders;
  access.readable.insert(access.readable.end(), kSystemFiles.begin(), kSystemFiles.end());
  for (const char* path : {"/proc", "/etc/resolv.conf", "/etc/passwd", "/etc/group"})
    access.readable.push_back(path);
  for (const std::string* path : {&plan.place.task_root, &plan.place.runtime}) {
    if (!path->empty()) access.readable.push_back(*path);
  }
  for (const std::vector<std::string>* paths : {&plan.place.layers, &plan.place.runtime_paths})
    access.readable.insert(access.readable.end(), paths->begin(), paths->end());
  return access;
}

Trouble limit_body(const EntryPlan& plan, const Limits& wanted) {
  ResourceLimits limits;
  limits.limits = wanted;
  limits.counts_processes = !is_root_layer(plan.layer);
  limits.limits_memory = !is_root_layer(plan.layer);
  return trouble(limit_resources(limits), "limiting resources");
}

}  // namespace

Trouble give_up_rights(const EntryPlan& plan, uid_t uid, bool of_body) {
  if (const int error = drop_bounding_set(); error != 0) return trouble(error, "dropping the bounding set");
  if (plan.changes_user) {
    if (const int error = become(uid, plan.changes_user && is_root_layer(plan.layer) ? uid : plan.gid,
                                 !is_root_layer(plan.layer));
        error != 0)
      return trouble(error, fmt::format("becoming user {}", uid));
  }
  if (of_body) {
    if (Trouble t = limit_body(plan, plan.limits); t.error != 0) return t;
  }
  if (const int error = drop_capabilities(); error != 0) return trouble(error, "dropping capabilities");
  return {};
}

namespace {

// `task_root`: its path outside.
Trouble check_code(const EntryPlan& plan, const std::string& task_root) {
  if (task_root.empty() || ::access(plan.inside.task_root.c_str(), R_OK | X_OK) == 0) return {};
  return trouble(errno,
                 fmt::format("reading {} as the user that functions run as; `chmod -R o+rX` lets it (and it "
                             "needs the right to enter the folders above)",
                             task_root));
}

// What the body's process has that init is to work with.
struct HandedOver {
  int listener = -1;  // for supervised calls
  Descriptor tunnel;
};

// From init to the body's process and through all the gates.
Trouble enter(const EntryPlan& plan, uid_t uid, int inner, const TunnelPlan& tunnel, HandedOver& handed) {
  if (plan.layer != Layer::kBare) {
    if (Trouble t = enter_own_network(); t.error != 0) return t;
    if (tunnel.device >= 0) {
      const Trouble t = open_tunnel(tunnel, handed.tunnel);
      if (t.error != 0 && plan.tunnel == EntryPlan::Tunnel::kNeeded) return t;
    }
  }
  if (Trouble t = give_up_rights(plan, uid, true); t.error != 0) return t;
  // Changing the user made the process one that its own user may not look at; init must, to make its connections.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return trouble(errno, "becoming visible to init");
  // After the change of user, which undoes it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return trouble(errno, "tying the process to init");
  if (Trouble t = check_code(plan, plan.place.task_root); t.error != 0) return t;
  if (const int error = restrict_files(files_of(plan));
      error != 0 && (plan.layer == Layer::kBare || error != ENOSYS))
    return trouble(error, "applying Landlock");
  std::vector<int> keep = plan.keep;
  keep.push_back(inner);
  keep.push_back(handed.tunnel.get());
  close_all_but(keep);
  handed.listener = plan.program->install();
  if (handed.listener < 0 && errno != 0) return trouble(errno, "installing the seccomp filter");
  return {};
}

// The body's process of an environment that was made ahead: until it knows its function. False: it never will.
bool await_function(const EntryPlan& plan, int inner) {
  (*plan.warm_up)();
  const auto given = std::make_unique<Given>();
  if (receive_message(inner, given.get(), sizeof *given) != sizeof *given) return false;
  Entered entered{limit_body(plan, given->limits)};
  // The folder that it stands in is below the mount by now.
  if (entered.trouble.error == 0 && ::chdir(plan.inside.task_root.c_str()) != 0)
    entered.trouble = trouble(errno, "entering " + plan.inside.task_root);
  if (entered.trouble.error == 0) entered.trouble = check_code(plan, given->task_root.path);
  return send_message(inner, &entered, sizeof entered) == 0 && entered.trouble.error == 0;
}

}  // namespace

[[noreturn]] void run_body(const EntryPlan& plan, uid_t uid, int inner, const sigset_t& signals,
                           const TunnelPlan& tunnel, const std::function<int(const Inside&)>& body) {
  HandedOver handed;
  const Entered entered{enter(plan, uid, inner, tunnel, handed)};
  std::vector<int> descriptors;
  if (handed.listener >= 0) descriptors.push_back(handed.listener);
  if (handed.tunnel.is_open()) descriptors.push_back(handed.tunnel.get());
  const bool told = send_message(inner, &entered, sizeof entered, descriptors) == 0;
  if (handed.listener >= 0) ::close(handed.listener);
  static_cast<void>(handed.tunnel.close());
  if (!told || entered.trouble.error != 0) ::_exit(1);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  if (plan.warm_up != nullptr && !await_function(plan, inner)) ::_exit(1);
  // Not before the supervisor is told: what it hears nothing of has not run, and another may be made in its place.
  char go = 0;
  if (receive_message(inner, &go, sizeof go) != sizeof go) ::_exit(1);
  ::close(inner);
  ::_exit(body(plan.inside));
}

}  // namespace lambed::sandbox
