#include "environments/process/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "environments/process/spawn_attributes.h"
#include "environments/process/worker_program.h"

namespace lambed::process {
namespace {

// An interpreter takes a tenth of a second to start, on a busy machine more.
constexpr std::chrono::milliseconds kStartPatience{20'000};
constexpr int kControlOfChild = 3;  // as core/worker/main.cc expects it
constexpr std::uint64_t kSocketTag = 0;
constexpr std::uint64_t kProcessTag = 1;

// What is watched for a ward: its id, which begins at 1, and which output.
std::uint64_t tag_of(std::uint64_t id, int which) { return id << 1 | static_cast<std::uint64_t>(which); }

Error unavailable(const std::string& message) { return Error(ErrorCode::HostUnavailable, message); }

void watch(int poll, int descriptor, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

// posix_spawn, not fork: a server has threads, and may be large.
int start_program(const std::string& program, const std::string& preloaded, int control, pid_t& pid) {
  std::string server = std::to_string(getpid());
  std::string name = "lambed-worker";
  std::string flag = "--server";
  std::array<char*, 4> words{name.data(), flag.data(), server.data(), nullptr};
  std::vector<std::string> variables = launcher_variables();
  if (!preloaded.empty()) variables.push_back("LD_PRELOAD=" + preloaded);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, control, kControlOfChild);
  posix_spawn_file_actions_addclosefrom_np(&files, kControlOfChild + 1);
  // A session of its own: Ctrl-C in the server's terminal is the server's, which ends its workers in good order.
  const SpawnAttributes attributes(POSIX_SPAWN_SETSID);
  const int result =
      posix_spawn(&pid, program.c_str(), &files, attributes.get(), words.data(), environment.data());
  posix_spawn_file_actions_destroy(&files);
  return result;
}

}  // namespace

Launcher::Launcher(Descriptor socket, pid_t pid)
    : socket_(std::move(socket)),
      poll_(epoll_create1(EPOLL_CLOEXEC)),
      pid_(pid),
      process_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {
  watch(poll_.get(), socket_.get(), kSocketTag);
  // Not only the socket's end: copies of it may live on elsewhere.
  watch(poll_.get(), process_.get(), kProcessTag);
}

Launcher::~Launcher() = default;

Result<std::shared_ptr<Launcher>> Launcher::start(const Options& options) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return unavailable(std::string("No socket for a launcher: ") + std::strerror(errno));
  Descriptor ours(ends[0]);
  // Not the number that it gets in the child: dup2 of a descriptor onto itself would leave its close-on-exec flag.
  Descriptor theirs(fcntl(ends[1], F_DUPFD_CLOEXEC, kControlOfChild + 1));
  ::close(ends[1]);
  pid_t pid = -1;
  if (const int error = start_program(options.program, options.preloaded, theirs.get(), pid); error != 0)
    return unavailable(options.program + " cannot be started: " + std::strerror(error));
  theirs.reset();

  std::shared_ptr<Launcher> launcher(new Launcher(std::move(ours), pid));
  {
    std::lock_guard lock(launcher->mutex_);
    launcher->send(channel::encode(options.hello), {});
  }
  if (const auto ready = launcher->wait_until_ready(); !ready.ok()) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return ready.error();
  }
  std::thread([launcher] { launcher->run(); }).detach();
  return launcher;
}

Result<void> Launcher::wait_until_ready() {
  const auto end = std::chrono::steady_clock::now() + kStartPatience;
  for (;;) {
    channel::Packet packet;
    switch (channel::receive_packet(socket_.get(), packet)) {
      case channel::Received::kPacket: {
        auto ready = channel::decode_ready(packet.bytes);
        if (!ready) return unavailable("lambed-worker does not speak this program's protocol.");
        if (!ready->ok) return unavailable(ready->message);
        ready_ = std::move(*ready);
        return {};
      }
      case channel::Received::kEnd:
        return unavailable(
            "lambed-worker ended before it was ready: the interpreter or the plugin ends the process that "
            "loads it.");
      case channel::Received::kWouldBlock:
        break;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{socket_.get(), POLLIN, 0};
    if (left.count() <= 0 || (::poll(&readable, 1, static_cast<int>(left.count())) < 0 && errno != EINTR))
      return unavailable("lambed-worker was not ready within 20 s.");
  }
}

void Launcher::run() {
  for (;;) {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) break;
    bool lives = true;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kProcessTag) {
        lives = false;
        continue;
      }
      if (event.data.u64 != kSocketTag) {
        output_ready(event.data.u64);
        continue;
      }
      if ((event.events & EPOLLOUT) != 0) {
        std::lock_guard lock(mutex_);
        flush();
      }
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) lives = receive() && lives;
    }
    if (!lives) break;
  }
  // Its workers end with it: PR_SET_PDEATHSIG.
  alive_.store(false, std::memory_order_release);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  std::vector<std::uint64_t> left;
  {
    std::lock_guard lock(mutex_);
    outgoing_.clear();
    for (const auto& [id, ward] : wards_) left.push_back(id);
  }
  for (const std::uint64_t id : left) {
    channel::Ended ended;
    ended.id = id;
    ended.signal = SIGKILL;
    end_ward(ended);
  }
}

bool Launcher::receive() {
  for (;;) {
    channel::Packet packet;
    switch (channel::receive_packet(socket_.get(), packet)) {
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
  if (const auto started = channel::decode_started(packet.bytes)) {
    Descriptor memory_file;
    if (!packet.descriptors.empty()) memory_file = std::move(packet.descriptors.front());
    if (const auto resident = resident_of(started->id))
      resident->started(static_cast<pid_t>(started->pid), std::move(memory_file));
    return true;
  }
  if (const auto ended = channel::decode_ended(packet.bytes)) {
    end_ward(*ended);
    return true;
  }
  return false;
}

std::shared_ptr<Resident> Launcher::resident_of(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto it = wards_.find(id);
  return it == wards_.end() ? nullptr : it->second.resident;
}

void Launcher::end_ward(const channel::Ended& how) {
  Ward ward;
  {
    std::lock_guard lock(mutex_);
    const auto it = wards_.find(how.id);
    if (it == wards_.end()) return;
    ward = std::move(it->second);
    wards_.erase(it);
  }
  for (const int which : {0, 1}) {
    epoll_ctl(poll_.get(), EPOLL_CTL_DEL, ward.outputs[which], nullptr);
    ward.resident->output_ready(which);  // what was written last is logged before the end is told
  }
  ward.resident->ended(how);
}

void Launcher::output_ready(std::uint64_t tag) {
  const auto which = static_cast<int>(tag & 1);
  Ward ward;
  {
    std::lock_guard lock(mutex_);
    const auto it = wards_.find(tag >> 1);
    if (it == wards_.end()) return;
    ward = it->second;
  }
  if (!ward.resident->output_ready(which))
    epoll_ctl(poll_.get(), EPOLL_CTL_DEL, ward.outputs[which], nullptr);
}

std::uint64_t Launcher::spawn(channel::Spawn spawn, const std::shared_ptr<Resident>& resident,
                              std::vector<Descriptor> for_worker, int output, int error) {
  std::lock_guard lock(mutex_);
  if (!is_alive()) return 0;
  spawn.id = next_id_++;
  wards_.emplace(spawn.id, Ward{resident, {output, error}});
  watch(poll_.get(), output, tag_of(spawn.id, 0));
  watch(poll_.get(), error, tag_of(spawn.id, 1));
  send(channel::encode(spawn), std::move(for_worker));
  return spawn.id;
}

void Launcher::act(std::uint64_t id, channel::Deed deed) {
  std::lock_guard lock(mutex_);
  if (wards_.count(id) != 0) send(channel::encode(channel::Act{id, deed}), {});
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
    if (channel::send_packet(socket_.get(), first.bytes, numbers) == channel::Sent::kWouldBlock) break;
    outgoing_.pop_front();  // sent; or nobody is there any more, which the thread is about to learn
  }
  if (waits_to_send_ == !outgoing_.empty()) return;
  waits_to_send_ = !outgoing_.empty();
  epoll_event event{};
  event.events = waits_to_send_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = kSocketTag;
  epoll_ctl(poll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
}

}  // namespace lambed::process
