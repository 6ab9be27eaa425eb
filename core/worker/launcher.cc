#include "worker/launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "environments/sandbox/enforcement.h"
#include "worker/worker_body.h"
#include "worker/worker_core.h"

namespace lambed::worker {
namespace {

// Tags of what is watched; those of workers are their ids, which begin at 1.
constexpr std::uint64_t kControl = UINT64_MAX;
constexpr std::uint64_t kServer = UINT64_MAX - 1;
// To set a worker up.
constexpr int kMostTries = 5;
// How long the trees of a server that is gone are waited for, so that their control groups can be removed.
constexpr Nanos kEndPatience = to_nanos(std::chrono::milliseconds(800));

channel::Ended failed(std::uint64_t id, const std::string& problem) {
  channel::Ended ended;
  ended.id = id;
  ended.problem = problem;
  return ended;
}

// What workers must see to load the plugin's and the interpreter's own files: the folder of each, and PREFIX/lib beside
// PREFIX/bin. What the sandbox shows anyway, the system's, is left out.
std::vector<std::string> places_of(const std::vector<std::string>& files) {
  std::vector<std::string> places;
  for (const std::string& file : files) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(file, error);
    if (error) continue;
    for (const std::filesystem::path& folder :
         {real.parent_path(), real.parent_path().parent_path() / "lib"}) {
      const std::string name = folder.string();
      if (name == "/" || name.starts_with("/usr/") || name.starts_with("/lib") || name == "/bin") continue;
      if (!std::filesystem::is_directory(folder, error)) continue;
      if (std::find(places.begin(), places.end(), name) == places.end()) places.push_back(name);
    }
  }
  return places;
}

std::set<int> open_descriptors() {
  std::set<int> found;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    const int number = std::atoi(entry->d_name);
    if (number > 2 && number != dirfd(folder)) found.insert(number);
  }
  closedir(folder);
  return found;
}

}  // namespace

Launcher::Launcher(Descriptor control, Descriptor server)
    : control_(std::move(control)), server_(std::move(server)), poll_(epoll_create1(EPOLL_CLOEXEC)) {
  watch(control_.get(), kControl);
  if (server_.is_open()) watch(server_.get(), kServer);
}

Launcher::~Launcher() = default;

void Launcher::watch(int descriptor, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

int Launcher::run() {
  for (;;) {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), patience());
    if (count < 0 && errno != EINTR) break;
    // Only when nobody wants anything.
    if (count == 0 && stock_) stock_->add();
    bool server_lives = true;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kServer) {
        server_lives = false;
      } else if (event.data.u64 == kControl) {
        if ((event.events & EPOLLOUT) != 0) flush();
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) server_lives = receive() && server_lives;
      } else if ((event.data.u64 & Stock::kTag) != 0) {
        stock_->look(event.data.u64);
      } else {
        worker_ended(event.data.u64);
      }
    }
    if (!server_lives) break;
  }
  end_all();
  return 0;
}

// How long there may be nothing to do before the stock is filled up.
int Launcher::patience() const {
  const Nanos at = stock_ ? stock_->refill_at() : kNever;
  if (at == kNever) return -1;
  constexpr Nanos kMillisecond = 1'000'000;
  return static_cast<int>(
      std::clamp<Nanos>((at - SystemClock().now() + kMillisecond - 1) / kMillisecond, 0, INT_MAX));
}

bool Launcher::receive() {
  for (;;) {
    channel::Packet packet;
    switch (channel::receive_packet(control_.get(), packet)) {
      case channel::Received::kPacket:
        if (!handle(std::move(packet))) return false;
        break;
      case channel::Received::kWouldBlock:
        return true;
      case channel::Received::kEnd:
        return false;
    }
  }
}

bool Launcher::handle(channel::Packet packet) {
  const auto kind = channel::kind_of(packet.bytes);
  if (kind == channel::MessageKind::kHello && !plugin_) {
    const auto hello = channel::decode_hello(packet.bytes);
    if (!hello) return false;
    greet(*hello);
    return true;
  }
  if (kind == channel::MessageKind::kSpawn && supervisor_ != nullptr) {
    const auto wanted = channel::decode_spawn(packet.bytes);
    if (!wanted || packet.descriptors.size() != 3) return false;
    spawn(*wanted, packet.bytes, std::move(packet.descriptors));
    return true;
  }
  if (kind == channel::MessageKind::kAct && supervisor_ != nullptr) {
    const auto wanted = channel::decode_act(packet.bytes);
    if (!wanted) return false;
    act(*wanted);
    return true;
  }
  return false;
}

void Launcher::greet(const channel::Hello& hello) {
  channel::Ready ready;
  const auto refuse = [&](const std::string& message) {
    ready.message = message;
    send(channel::encode(ready), {});
  };
  if (hello.version != channel::kProtocolVersion) {
    refuse(
        "lambed-worker is of another version than the program that started it. Install both from one "
        "release.");
    return;
  }
  auto plugin = Plugin::load(hello);
  if (!plugin.ok()) return refuse(plugin.error().message());
  plugin_.emplace(std::move(*plugin));
  const std::set<int> before = open_descriptors();
  if (plugin_->runs_before_fork()) {
    if (const auto started = plugin_->start(WorkerCore::table()); !started.ok())
      return refuse(started.error().message());
  }
  for (const int descriptor : open_descriptors())
    if (before.count(descriptor) == 0) interpreter_descriptors_.push_back(descriptor);
  sandbox::Supervisor::remove_leavings();  // of launchers that were killed together with their servers
  sandbox::SupervisorOptions options;
  if (!hello.server.empty()) options.server = hello.server;
  if (const char* word = std::getenv("LAMBED_SANDBOX_LAYER"); word != nullptr && *word != 0) {
    options.layer = sandbox::layer_of_word(word);
    if (!options.layer)
      return refuse("LAMBED_SANDBOX_LAYER is '" + std::string(word) +
                    "', which is none of cgroup2, cgroup1, user and bare.");
  }
  auto supervisor = sandbox::Supervisor::create(options);
  if (!supervisor.ok()) return refuse(supervisor.error().message());
  supervisor_ = std::move(*supervisor);
  plugin_->describe(ready);
  runtime_paths_ = places_of({plugin_->path(), ready.interpreter_path});
  ready.layer = sandbox::name_of(supervisor_->layer());
  ready.soft_limits = sandbox::not_hard_in(supervisor_->layer());
  ready.notices = WorkerCore::take_start_notices();
  ready.ok = true;
  send(channel::encode(ready), {});
  begin_stock(hello.worker_stock);
}

void Launcher::begin_stock(std::size_t wanted) {
  if (wanted == 0 || !supervisor_->can_prepare()) return;
  stock_.emplace(wanted, *plugin_, *supervisor_, poll_.get(),
                 [this](const std::vector<int>& kept, const std::function<void()>& warm_up,
                        const std::function<int(const sandbox::Inside&)>& body) {
                   return fork(kept, [&](const std::vector<int>& keep) {
                     return supervisor_->prepare(runtime_paths_, keep, warm_up, body);
                   });
                 });
}

Result<sandbox::Child> Launcher::fork(
    std::vector<int> keep, const std::function<Result<sandbox::Child>(const std::vector<int>&)>& make) {
  const bool is_warm = plugin_->runs_before_fork();
  keep.insert(keep.end(), interpreter_descriptors_.begin(), interpreter_descriptors_.end());
  if (is_warm && plugin_->api().before_fork() != 0)
    return Error(ErrorCode::ServiceException, "The interpreter cannot be forked.");
  auto made = make(keep);
  if (is_warm) plugin_->api().after_fork(0);
  return made;
}

Result<sandbox::Child> Launcher::fork_worker(const channel::Spawn& wanted,
                                             std::vector<Descriptor> descriptors) {
  WorkerStreams streams{std::move(descriptors[0]), std::move(descriptors[1]), std::move(descriptors[2])};
  const std::vector<int> keep = {streams.memory.get(), streams.output.get(), streams.error.get()};
  const auto fork_one = [&] {
    return fork(keep, [&](const std::vector<int>& kept) {
      return supervisor_->spawn(spec_of(wanted), kept, [&](const sandbox::Inside& inside) {
        return run_worker(*plugin_, std::nullopt, wanted, inside, std::move(streams));
      });
    });
  };
  auto child = fork_one();
  // No handler has run yet. Whatever has killed it while it was set up need not meet the next one.
  for (int tries = 1; tries < kMostTries && !child.ok() && child.error().reason() == sandbox::kEndedInSetUp;
       ++tries)
    child = fork_one();
  return child;
}

void Launcher::spawn(const channel::Spawn& wanted, const std::string& order,
                     std::vector<Descriptor> descriptors) {
  std::optional<sandbox::Child> ready;
  if (stock_) {
    ready = stock_->hand_out(wanted, spec_of(wanted), order,
                             {descriptors[0].get(), descriptors[1].get(), descriptors[2].get()});
  }
  auto child =
      ready ? Result<sandbox::Child>(std::move(*ready)) : fork_worker(wanted, std::move(descriptors));
  if (!child.ok()) {
    send(channel::encode(failed(wanted.id, child.error().message())), {});
    return;
  }
  channel::Started started{wanted.id, child->pid()};
  std::vector<Descriptor> handles;
  if (auto file = supervisor_->memory_peak_file(*child); file.is_open()) handles.emplace_back(file.release());
  const auto [place, is_new] = workers_.emplace(wanted.id, std::move(*child));
  watch(place->second.pidfd(), wanted.id);
  if (stock_) stock_->starts(wanted.id);
  send(channel::encode(started), std::move(handles));
}

void Launcher::act(const channel::Act& wanted) {
  const auto it = workers_.find(wanted.id);
  if (it == workers_.end()) return;  // its end is on its way to the server
  sandbox::Child& child = it->second;
  switch (wanted.deed) {
    case channel::Deed::kKill:
      supervisor_->kill(child);
      return;
    // A freezer that fails costs some processor time, a quota that cannot be set was so reported at the start: neither is a
    // reason to end what works.
    case channel::Deed::kFreeze:
      static_cast<void>(supervisor_->freeze(child).ok());
      return;
    case channel::Deed::kThaw:
      // One that does not run again would keep its caller waiting for its timeout.
      if (!supervisor_->thaw(child).ok()) supervisor_->kill(child);
      return;
    case channel::Deed::kBeginQuota:  // with the first call
      if (stock_) stock_->has_started(wanted.id);
      static_cast<void>(supervisor_->begin_cpu_quota(child).ok());
      return;
  }
}

void Launcher::worker_ended(std::uint64_t id) {
  auto it = workers_.find(id);
  if (it == workers_.end()) return;
  epoll_ctl(poll_.get(), EPOLL_CTL_DEL, it->second.pidfd(), nullptr);
  const sandbox::Ending ending = supervisor_->finish(std::move(it->second));
  workers_.erase(it);
  if (stock_) stock_->has_started(id);
  channel::Ended ended;
  ended.id = id;
  ended.exit_code = ending.exit_code;
  ended.signal = ending.signal;
  ended.out_of_memory = ending.out_of_memory;
  ended.memory_peak = ending.memory_peak;
  send(channel::encode(ended), {});
}

void Launcher::send(std::string bytes, std::vector<Descriptor> descriptors) {
  outgoing_.push_back({std::move(bytes), std::move(descriptors)});
  flush();
}

void Launcher::flush() {
  while (!outgoing_.empty()) {
    const Outgoing& first = outgoing_.front();
    std::vector<int> numbers;
    for (const Descriptor& d : first.descriptors) numbers.push_back(d.get());
    if (channel::send_packet(control_.get(), first.bytes, numbers) == channel::Sent::kWouldBlock) break;
    outgoing_.pop_front();  // sent; or nobody is there any more, which the next receive() says
  }
  if (waits_to_send_ == !outgoing_.empty()) return;
  waits_to_send_ = !outgoing_.empty();
  epoll_event event{};
  event.events = waits_to_send_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = kControl;
  epoll_ctl(poll_.get(), EPOLL_CTL_MOD, control_.get(), &event);
}

void Launcher::end_all() {
  std::uint64_t number = Stock::kTag;
  for (sandbox::Child& child : stock_ ? stock_->take_all() : std::vector<sandbox::Child>())
    workers_.emplace(number++, std::move(child));
  for (auto& [id, child] : workers_) supervisor_->kill(child);
  const Nanos end = SystemClock().now() + kEndPatience;
  for (auto& [id, child] : workers_) {
    pollfd gone{child.pidfd(), POLLIN, 0};
    const Nanos left = end - SystemClock().now();
    if (left > 0) ::poll(&gone, 1, static_cast<int>(left / 1'000'000));
    if ((gone.revents & POLLIN) != 0) supervisor_->finish(std::move(child));
  }
  workers_.clear();
}

sandbox::Spec Launcher::spec_of(const channel::Spawn& spawn) const {
  sandbox::Spec spec;
  spec.limits.memory_bytes = spawn.memory_limit;
  spec.limits.cores = spawn.cores;
  spec.limits.tmp_bytes = spawn.tmp_bytes;
  spec.place.task_root = spawn.task_root;
  spec.place.layers = spawn.layers;
  spec.place.runtime_paths = runtime_paths_;
  spec.network.host_loopback = spawn.host_loopback;
  if (const std::size_t slash = spawn.address.find('/'); slash != std::string::npos) {
    spec.network.address = spawn.address.substr(0, slash);
    spec.network.prefix = std::atoi(spawn.address.c_str() + slash + 1);
    // A rule that cannot be read lets nothing out.
    spec.network.allowed.emplace();
    for (const auto& [rule, range] : spawn.egress) {
      const auto to = Cidr::parse(range);
      const auto parsed = to ? EgressRule::parse(rule, *to) : std::nullopt;
      if (parsed) spec.network.allowed->push_back(*parsed);
    }
    for (const std::string& text : spawn.unreachable)
      if (const auto range = Cidr::parse(text)) spec.network.unreachable.push_back(*range);
  }
  return spec;
}

}  // namespace lambed::worker
