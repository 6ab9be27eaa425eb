#include "environments/sandbox/datagram_relay.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "environments/sandbox/addresses.h"
#include "environments/sandbox/posix.h"
#include "environments/sandbox/resolvers.h"

namespace lambed::sandbox {
namespace {

constexpr std::chrono::seconds kIdle{60};       // then a flow is forgotten
constexpr std::chrono::seconds kIdleNames{10};  // one to a name server: every query has a port of its own
constexpr std::chrono::seconds kLookEvery{5};
constexpr std::uint64_t kTunnelTag = UINT64_MAX;
constexpr std::size_t kPacketBufferBytes = 1 << 17;
// Taken at a time, so that whoever waits for init is not kept waiting by a flood.
constexpr int kMostPackets = 64;
constexpr int kMostAnswers = 16;

Unreachable reason_for(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Unreachable::kPort;
    case ENETUNREACH:
      return Unreachable::kNetwork;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return Unreachable::kHost;
    default:
      return Unreachable::kProhibited;
  }
}

void watch(const Descriptor& events, int descriptor, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  ::epoll_ctl(events.get(), EPOLL_CTL_ADD, descriptor, &event);
}

}  // namespace

DatagramRelay::DatagramRelay(Descriptor tunnel, const Egress& egress)
    : tunnel_(std::move(tunnel)),
      egress_(egress),
      events_(::epoll_create1(EPOLL_CLOEXEC)),
      looked_at_(std::chrono::steady_clock::now()),
      space_(new std::uint8_t[kPacketBufferBytes]) {
  watch(events_, tunnel_.get(), kTunnelTag);
}

void DatagramRelay::add_to(std::vector<pollfd>& polled) const {
  polled.push_back({events_.get(), POLLIN, 0});
}

int DatagramRelay::patience() const {
  return open_flows_ == 0
             ? -1
             : static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kLookEvery).count());
}

void DatagramRelay::serve() {
  epoll_event events[64];
  const int count = ::epoll_wait(events_.get(), events, 64, 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[i].data.u64;
    // A slot may have been taken by another flow meanwhile, which then has nothing to say.
    if (tag < flows_.size() && flows_[tag].socket.is_open()) take_answers(flows_[tag]);
  }
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kTunnelTag) take_packets();
  }
  expire();
}

void DatagramRelay::take_packets() {
  for (int i = 0; i < kMostPackets; ++i) {
    const ssize_t size = ::read(tunnel_.get(), space_.get(), kPacketBufferBytes);
    if (size <= 0) return;
    const Bytes packet(space_.get(), static_cast<std::size_t>(size));
    Datagram datagram;
    switch (read_packet(packet, datagram)) {
      case PacketKind::kNothing:
        break;
      case PacketKind::kOther:
        put_back(unreachable(packet, Unreachable::kProhibited));
        break;
      case PacketKind::kDatagram:
        send_out(packet, datagram);
        break;
    }
  }
}

void DatagramRelay::send_out(Bytes packet, const Datagram& datagram) {
  // An answer to another address would not find its way back anyhow.
  if (!egress_.stays_inside(socket_address(datagram.from.address, datagram.from.port))) return;
  int error = 0;
  Flow* flow = flow_for(datagram, error);
  if (flow == nullptr) return put_back(unreachable(packet, reason_for(error)));
  flow->used = std::chrono::steady_clock::now();
  const auto send = [&] {
    return ::send(flow->socket.get(), datagram.payload.data(), datagram.payload.size(),
                  MSG_DONTWAIT | MSG_NOSIGNAL) >= 0
               ? 0
               : errno;
  };
  error = send();
  if (error == ECONNREFUSED) {  // of an earlier one; this one was not sent
    put_back(unreachable(packet, Unreachable::kPort));
    error = send();
  }
  // Without room it is lost, as datagrams are.
  if (error != 0 && error != EAGAIN && error != ENOBUFS && error != ECONNREFUSED)
    put_back(unreachable(packet, reason_for(error)));
}

DatagramRelay::Flow* DatagramRelay::flow_for(const Datagram& datagram, int& error) {
  Flow* place = nullptr;
  for (Flow& flow : flows_) {
    if (!flow.socket.is_open()) {
      if (place == nullptr || place->socket.is_open()) place = &flow;
    } else if (flow.inside == datagram.from && flow.peer == datagram.to) {
      return &flow;
    } else if (place == nullptr || (place->socket.is_open() && flow.used < place->used)) {
      place = &flow;
    }
  }
  sockaddr_storage to = socket_address(datagram.to.address, datagram.to.port);
  error = egress_.direct(to, SOCK_DGRAM);
  if (error != 0) return nullptr;
  Descriptor socket(::socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return error = errno, nullptr;
  // The sender inside knows of no smaller packets than its tunnel's: whatever needs it goes in pieces.
  const int dont = IP_PMTUDISC_DONT;
  ::setsockopt(socket.get(), to.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
               to.ss_family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &dont, sizeof dont);
  const socklen_t size = to.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0)
    return error = errno, nullptr;
  if (place == nullptr || (place->socket.is_open() && flows_.size() < kMostFlows)) {
    flows_.emplace_back();
    place = &flows_.back();
  }
  if (!place->socket.is_open()) ++open_flows_;
  watch(events_, socket.get(), static_cast<std::uint64_t>(place - flows_.data()));
  *place = {datagram.from, datagram.to, std::move(socket), {}};
  return place;
}

void DatagramRelay::take_answers(Flow& flow) {
  for (int i = 0; i < kMostAnswers; ++i) {
    std::uint8_t* payload = space_.get() + kLongestHeaders;
    const ssize_t size =
        ::recv(flow.socket.get(), payload, kPacketBufferBytes - kLongestHeaders, MSG_DONTWAIT);
    if (size < 0) {
      if (errno != EAGAIN) tell(flow, errno);
      return;
    }
    if (static_cast<std::size_t>(size) > kLongestPayload) continue;
    flow.used = std::chrono::steady_clock::now();
    const auto headers =
        headers_for({flow.peer, flow.inside, Bytes(payload, static_cast<std::size_t>(size))});
    std::uint8_t* start = payload - headers.size();
    std::copy(headers.begin(), headers.end(), start);
    put_back(Bytes(start, headers.size() + static_cast<std::size_t>(size)));
  }
}

void DatagramRelay::put_back(Bytes packet) {
  // One that finds no room is lost, as on any network.
  (void)!::write(tunnel_.get(), packet.data(), packet.size());
}

void DatagramRelay::tell(const Flow& flow, int error) {
  put_back(unreachable(headers_for({flow.inside, flow.peer, {}}), reason_for(error)));
}

void DatagramRelay::expire() {
  const Moment now = std::chrono::steady_clock::now();
  if (open_flows_ == 0 || now - looked_at_ < kLookEvery) return;
  looked_at_ = now;
  for (Flow& flow : flows_) {
    const auto idle = flow.peer.port == kNamePort ? kIdleNames : kIdle;
    if (!flow.socket.is_open() || now - flow.used < idle) continue;
    static_cast<void>(flow.socket.close());
    --open_flows_;
  }
}

}  // namespace lambed::sandbox
