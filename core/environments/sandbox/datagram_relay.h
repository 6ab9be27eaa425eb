// An environment's datagrams: what leaves its network by the tunnel is sent by init in the machine's, and answers are put back.
//
// The tunnel ends at init and nowhere else, so a packet that init does not take up goes nowhere. Each pair of a port inside and
// a peer has a socket that is connected to that peer: the kernel lets in what comes from there, and nothing else.
//
// For init, after it gave up its rights: it works with the descriptors it holds. One thread.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/descriptor.h"
#include "environments/sandbox/egress.h"
#include "environments/sandbox/packets.h"

namespace lambed::sandbox {

class DatagramRelay {
 public:
  // Of an environment; the peer that was not spoken to for the longest time makes room.
  static constexpr std::size_t kMostFlows = 256;

  // `tunnel`: open, of kind TUN, without packet information. `egress` lives longer.
  DatagramRelay(Descriptor tunnel, const Egress& egress);

  // What to poll, and for how long at most (-1: for ever); after poll, whatever came.
  void add_to(std::vector<pollfd>& polled) const;
  int patience() const;
  void serve();

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Flow {
    Endpoint inside, peer;  // the peer by the address that the environment knows it by
    Descriptor socket;
    Moment used;
  };

  void take_packets();
  void send_out(Bytes packet, const Datagram& datagram);
  Flow* flow_for(const Datagram& datagram, int& error);
  void take_answers(Flow& flow);
  void put_back(Bytes packet);
  void tell(const Flow& flow, int error);
  void expire();

  Descriptor tunnel_;
  const Egress& egress_;
  Descriptor events_;        // an epoll: of the tunnel, and of every flow
  std::vector<Flow> flows_;  // a slot without a socket is free
  Moment looked_at_;         // when expire() ran
  std::size_t open_flows_ = 0;
  std::unique_ptr<std::uint8_t[]> space_;  // for one packet
};

}  // namespace lambed::sandbox
