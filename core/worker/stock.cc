#include "worker/stock.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "environments/channel/packet.h"
#include "worker/worker_body.h"

namespace lambed::worker {
namespace {

// So long nobody must have asked for a worker, nor one have started, before the next one is made: its first call needs the
// processor.
constexpr Nanos kQuiet = to_nanos(std::chrono::milliseconds(50));
// Longer than that no start is waited for.
constexpr Nanos kLongestStart = to_nanos(std::chrono::seconds(2));
// After workers that ended by themselves: twice as long each time, up to kLongestPause. A hand-out that works begins anew.
constexpr Nanos kFirstPause = to_nanos(std::chrono::milliseconds(200));
constexpr int kMostDoublings = 9;  // under two minutes

// What an interpreter that has started already has made of such variables, it does not make again.
constexpr std::string_view kReadAtStart[] = {"NODE_", "UV_", "SSL_", "OPENSSL_", "LC_"};
constexpr std::pair<const char*, const char*> kOfEveryFunction[] = {{"TZ", ":UTC"}, {"LANG", "en_US.UTF-8"}};

// Blocks: the launcher may take its time.
bool receive_order(int control, channel::Packet& packet) {
  pollfd readable{control, POLLIN, 0};
  for (;;) {
    switch (channel::receive_packet(control, packet)) {
      case channel::Received::kPacket:
        return true;
      case channel::Received::kEnd:
        return false;
      case channel::Received::kWouldBlock:
        ::poll(&readable, 1, -1);
    }
  }
}

}  // namespace

Stock::Stock(std::size_t wanted, const Plugin& plugin, sandbox::Supervisor& supervisor, int poll,
             Prepare prepare)
    : wanted_(wanted), plugin_(plugin), supervisor_(supervisor), poll_(poll), prepare_(std::move(prepare)) {}

Nanos Stock::refill_at() const {
  if (workers_.size() >= wanted_) return kNever;
  const Nanos pause = failures_ == 0 ? kQuiet : kFirstPause << std::min(failures_ - 1, kMostDoublings);
  return quiet_since_ + (starting_.empty() ? pause : std::max(pause, kLongestStart));
}

void Stock::starts(std::uint64_t worker) {
  starting_.insert(worker);
  quiet_since_ = SystemClock().now();
}

void Stock::has_started(std::uint64_t worker) {
  if (starting_.erase(worker) != 0) quiet_since_ = SystemClock().now();
}

void Stock::add() {
  quiet_since_ = SystemClock().now();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    ++failures_;
    return;
  }
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  StartedPlugin started;
  const int control = theirs.get();
  auto child = prepare_(
      {control},
      [&] {
        clearenv();
        for (const auto& [name, value] : kOfEveryFunction) setenv(name, value, 1);
        started = start_plugin(plugin_);
        channel::send_packet(control, "ready", {});
      },
      [&](const sandbox::Inside& inside) {
        channel::Packet packet;
        if (!receive_order(control, packet) || packet.descriptors.size() != 3) return 1;
        theirs.reset();
        const auto spawn = channel::decode_spawn(packet.bytes);
        if (!spawn) return 1;
        return run_worker(plugin_, started, *spawn, inside,
                          {std::move(packet.descriptors[0]), std::move(packet.descriptors[1]),
                           std::move(packet.descriptors[2])});
      });
  if (!child.ok()) {
    ++failures_;
    return;
  }
  const std::uint64_t number = next_++;
  workers_.emplace(number, Worker{std::move(*child), std::move(ours)});
  watch(number, true);
}

void Stock::watch(std::uint64_t number, bool watches) {
  const Worker& worker = workers_.at(number);
  std::uint64_t tag = kTag | number << 1;
  for (const int descriptor : {worker.child.pidfd(), worker.control.get()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag++;
    epoll_ctl(poll_, watches ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, descriptor, &event);
  }
}

void Stock::look(std::uint64_t tag) {
  const auto it = workers_.find((tag & ~kTag) >> 1);
  if (it == workers_.end()) return;
  channel::Packet packet;
  if ((tag & 1) != 0 &&
      channel::receive_packet(it->second.control.get(), packet) == channel::Received::kPacket) {
    it->second.is_ready = true;
    return;
  }
  // It has ended.
  ++failures_;
  quiet_since_ = SystemClock().now();
  drop(it->first);
}

void Stock::drop(std::uint64_t number) {
  watch(number, false);
  const auto it = workers_.find(number);
  supervisor_.kill(it->second.child);
  supervisor_.finish(std::move(it->second.child));
  workers_.erase(it);
}

bool Stock::suits(const channel::Spawn& spawn) const {
  // Its address is given while its network is made.
  if (!spawn.address.empty()) return false;
  if (plugin_.runs_before_fork()) return true;
  for (const auto& [name, value] : spawn.variables) {
    for (const std::string_view prefix : kReadAtStart)
      if (std::string_view(name).starts_with(prefix)) return false;
    for (const auto& [common, usual] : kOfEveryFunction)
      if (name == common && value != usual) return false;
  }
  return true;
}

std::optional<sandbox::Child> Stock::hand_out(const channel::Spawn& spawn, const sandbox::Spec& spec,
                                              const std::string& order, const std::vector<int>& descriptors) {
  if (!suits(spawn)) return std::nullopt;
  const auto it = std::find_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return entry.second.is_ready && supervisor_.can_hand_out(entry.second.child, spec);
  });
  if (it == workers_.end()) return std::nullopt;
  // The order first: the worker then has it when the sandbox lets it go.
  const bool is_handed_out =
      channel::send_packet(it->second.control.get(), order, descriptors) == channel::Sent::kYes &&
      supervisor_.hand_out(it->second.child, spec).ok();
  if (!is_handed_out) {
    ++failures_;
    drop(it->first);
    return std::nullopt;
  }
  failures_ = 0;
  watch(it->first, false);
  std::optional<sandbox::Child> child(std::move(it->second.child));
  workers_.erase(it);
  return child;
}

std::vector<sandbox::Child> Stock::take_all() {
  std::vector<sandbox::Child> children;
  for (auto& [number, worker] : workers_) children.push_back(std::move(worker.child));
  workers_.clear();
  return children;
}

}  // namespace lambed::worker
