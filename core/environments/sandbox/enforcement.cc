#include "environments/sandbox/enforcement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "environments/sandbox/posix.h"

namespace lambed::sandbox {
namespace {

constexpr Enforcement hard(const char* how) { return {Grade::kHard, how}; }
constexpr Enforcement guarded(const char* how) { return {Grade::kGuarded, how}; }
constexpr Enforcement none(const char* how = "") { return {Grade::kNotEnforced, how}; }

// The layers with namespaces are alike but for what control groups do.
EnforcedLimit alike(const char* limit, const char* how, Enforcement bare, Enforcement in_process) {
  return {limit, {hard(how), hard(how), hard(how), bare}, in_process};
}

}  // namespace

const std::vector<EnforcedLimit>& enforced_limits() {
  static const std::vector<EnforcedLimit> limits = {
      {"memory of the whole tree",
       {hard("memory cgroup, the whole group ends"), hard("memory cgroup, any event ends the tree"),
        guarded("RLIMIT_DATA for each process; the sum is looked at every 10 ms"),
        guarded("RLIMIT_DATA for each process; the sum is looked at every 10 ms")},
       guarded("Python's and Node.js's own allocations; Ruby: not enforced")},
      {"CPU share",
       {hard("cpu quota, period 20 ms"), hard("cpu quota, period 20 ms"),
        guarded("the tree is stopped and continued, over about 100 ms"),
        guarded("the tree is stopped and continued, over about 100 ms")},
       none()},
      alike("timeout: nothing of the tree runs on", "SIGKILL of the pid namespace",
            guarded("init hunts its descendants; it is out of their reach from Linux 6.12 on"),
            guarded("told to stop; what cannot be stopped is abandoned")),
      alike("size of /tmp", "file system of that size",
            guarded("RLIMIT_FSIZE for each file, not for their sum"), none()),
      alike("/tmp is private", "file system of its own", hard("Landlock, folder of its own"), none()),
      alike("file descriptors", "RLIMIT_NOFILE for each process", hard("RLIMIT_NOFILE for each process"),
            none()),
      {"processes and threads",
       {hard("pids cgroup"), hard("pids cgroup"), hard("RLIMIT_NPROC of the user namespace"),
        guarded("RLIMIT_NPROC, counted with all of the user's processes unless the server is root")},
       none()},
      alike("code, layers and runtime are read-only", "read-only mounts",
            guarded("Landlock; chmod of code that belongs to the server's user"), none()),
      alike("files of the machine", "own root with /usr, /lib and pieces of /etc",
            guarded("Landlock; names and sizes are seen by stat, processes in /proc"), none()),
      alike("the server's memory and other functions", "pid namespace, seccomp, Landlock",
            hard("seccomp, Landlock"), none()),
      alike("signals to others", "pid namespace, Landlock",
            guarded("Landlock from Linux 6.12 on; before, only another user when the server is root"),
            none()),
      alike("limits, priority and shared memory of others", "pid and IPC namespaces, seccomp",
            hard("seccomp"), none()),
      alike("ptrace and process_vm", "seccomp", hard("seccomp"), none()),
      alike("io_uring, bpf, mount, namespaces, keyrings", "seccomp", hard("seccomp"), none()),
      alike("no new privileges, not uid 0 in the host", "no_new_privs, no capabilities, user of its own",
            guarded("no_new_privs, no capabilities; the server's own user unless that is root"), none()),
      alike("no inbound TCP", "network namespace", hard("seccomp refuses to listen at all"), none()),
      alike("no inbound UDP", "network namespace; sockets of init that are connected to their peers", none(),
            none()),
      alike("no protocol but TCP and UDP", "seccomp", hard("seccomp"), none()),
      alike("TCP port 25", "init refuses, on a copy of the address",
            hard("init refuses, on a copy of the address"), none()),
      alike("loopback and addresses of the machine", "network namespace; init refuses",
            guarded("TCP: init refuses; UDP: where it is connected, init refuses"), none()),
      alike("rules of a VPC's security groups", "init refuses, on copies of address and packet",
            guarded("TCP: init refuses; UDP: where it is connected, init refuses"),
            none("VpcConfig is refused")),
      alike("abstract and other Unix sockets of the machine", "network namespace, own root",
            guarded("init refuses connections; datagrams to abstract ones by Landlock from Linux 6.12 on"),
            none()),
  };
  return limits;
}

const std::vector<Offer>& offers() {
  static const char* const kByInit = "yes, init connects on the caller's behalf";
  static const char* const kOwn = "yes, its own";
  static const char* const kRelayed = "where /dev/net/tun can be opened: init sends on the caller's behalf";
  static const char* const kNames =
      "yes, by UDP, or else by TCP; the machine's name servers, on loopback too";
  static const char* const kMachines = "yes, as the machine does";
  static const char* const kSubnet = "yes, inside; outside the machine's is seen";
  static const char* const kImage =
      "an image on disk; where no loop device or no mke2fs is to be had, a tmpfs that counts as its memory";
  static const std::vector<Offer> offers = {
      {"outbound TCP", {kByInit, kByInit, kByInit, kByInit}, "yes"},
      {"outbound UDP", {kRelayed, kRelayed, kRelayed, "yes"}, "yes"},
      {"names", {kNames, kNames, kNames, kMachines}, kMachines},
      {"listening on loopback", {kOwn, kOwn, kOwn, "no"}, "yes, the machine's"},
      {"listening on Unix sockets", {"yes", "yes", "yes", "no"}, "yes"},
      {"an address of a VPC's subnet", {kSubnet, kSubnet, kSubnet, "no"}, "no"},
      {"what /tmp is",
       {kImage, kImage, "a tmpfs: memory of the machine, counted by no limit but its own size", "a folder"},
       "the machine's"},
      {"the machine's loopback, when allowed",
       {"TCP and UDP", "TCP and UDP", "TCP and UDP", "TCP and UDP"},
       "always"},
  };
  return offers;
}

std::string text_of(const Enforcement& enforcement) {
  const char* grade = enforcement.grade == Grade::kHard      ? "hard"
                      : enforcement.grade == Grade::kGuarded ? "guarded"
                                                             : "not enforced";
  return *enforcement.how == 0 ? grade : fmt::format("{}: {}", grade, enforcement.how);
}

std::vector<std::string> not_hard_in(Layer layer) {
  std::vector<std::string> names;
  for (const EnforcedLimit& limit : enforced_limits()) {
    if (limit.layers[static_cast<int>(layer)].grade != Grade::kHard) names.emplace_back(limit.limit);
  }
  return names;
}

namespace {

constexpr const char* kInProcess = "in_process";

using Row = std::vector<std::string>;  // what it is about, the four layers, in_process

std::vector<Row> limit_rows() {
  std::vector<Row> rows;
  for (const EnforcedLimit& limit : enforced_limits()) {
    Row row = {limit.limit};
    for (const Enforcement& cell : limit.layers) row.push_back(text_of(cell));
    row.push_back(text_of(limit.in_process));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<Row> offer_rows() {
  std::vector<Row> rows;
  for (const Offer& offer : offers()) {
    Row row = {offer.what};
    row.insert(row.end(), std::begin(offer.layers), std::end(offer.layers));
    row.emplace_back(offer.in_process);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string markdown(const char* title, const std::vector<Row>& rows) {
  std::string text = fmt::format("| {} |", title);
  for (const Layer layer : kLayers) text += fmt::format(" {} |", name_of(layer));
  text += fmt::format(" {} |\n|---|---|---|---|---|---|\n", kInProcess);
  for (const Row& row : rows) {
    for (const std::string& cell : row)
      text += fmt::format("{}{}", &cell == &row.front() ? "| " : " | ", cell);
    text += " |\n";
  }
  return text;
}

// Layers with the same answer share a line.
std::string lines(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) {
    text += fmt::format("  {}\n", row.front());
    for (std::size_t i = 1; i < row.size();) {
      std::string names;
      const std::size_t first = i;
      for (; i < row.size() && row[i] == row[first]; ++i)
        names += fmt::format("{}{}", i > first ? ", " : "", i <= 4 ? name_of(kLayers[i - 1]) : kInProcess);
      text += fmt::format("      {}: {}\n", names, row[first]);
    }
  }
  return text;
}

}  // namespace

std::string enforcement_as_markdown() {
  return markdown("limit", limit_rows()) + "\n" + markdown("a function can use", offer_rows());
}

std::string enforcement_as_text() {
  return "Limits\n" + lines(limit_rows()) + "A function can use\n" + lines(offer_rows());
}

std::vector<LayerReport> try_layers() {
  std::vector<LayerReport> reports;
  for (const Layer layer : kLayers) {
    const auto made = Supervisor::create({.server = "doctor", .layer = layer});
    std::string reason = made.ok() ? "" : made.error().message();
    // The message names the layer, which stands beside it here.
    const std::string name = std::string(name_of(layer)) + ": ";
    if (const std::size_t at = reason.find(name); at != std::string::npos) reason.erase(0, at + name.size());
    reports.push_back({layer, made.ok(), std::move(reason), made.ok() && (*made)->lets_datagrams_out(),
                       made.ok() ? (*made)->why_no_image() : ""});
  }
  return reports;
}

Result<Layer> best_layer() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("Could not make a pipe", errno);
  const Descriptor reads(ends[0]);
  Descriptor writes(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return system_error("Could not start a process", errno);
  if (child == 0) {
    std::string told;
    {
      const auto made = Supervisor::create({.server = "trial", .layer = {}});
      told = made.ok() ? std::to_string(static_cast<int>((*made)->layer())) : made.error().message();
    }
    ::_exit(::write(writes.get(), told.data(), told.size()) < 0 ? 1 : 0);
  }
  writes = Descriptor();
  std::string told;
  char piece[512];
  for (ssize_t got = 0; (got = ::read(reads.get(), piece, sizeof piece)) > 0;)
    told.append(piece, static_cast<std::size_t>(got));
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  for (const Layer layer : kLayers) {
    if (told == std::to_string(static_cast<int>(layer))) return layer;
  }
  return Error(ErrorCode::ServiceException,
               told.empty() ? "The process that tried the sandbox ended without a word." : told);
}

}  // namespace lambed::sandbox
