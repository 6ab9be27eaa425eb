// Makes an environment's connections: connect(2) and listen(2) of its processes come here, by seccomp's user notification, and
// are carried out by init on a copy of the address and on the very socket. So there is no moment at which what was checked can
// be exchanged for something else, and no call is ever let through ("continue"), which could be raced.
//
// With a network namespace of its own, an environment has its own loopback, and a TCP connection elsewhere is made by init in the
// machine's network and put in the place of the caller's descriptor. Such sockets can do nothing but talk: connecting them
// anew comes here, and listening on them is refused. Without one, connections are made on the caller's socket.
//
// For init, which must not have the filter on itself. One thread.
#pragma once

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "environments/sandbox/egress.h"

namespace lambed::sandbox {

class Connector {
 public:
  struct Rules {
    bool own_network = true;
    bool host_loopback = false;   // what nobody listens to inside may be meant for the machine
    std::string unix_sockets_in;  // without an own file view: the only folder with Unix sockets to connect to
  };
  // An open `listener`. `egress` lives longer.
  Connector(Descriptor listener, Rules rules, const Egress& egress);

  // What to poll, and for how long at most (-1: for ever); after poll, whatever came.
  void add_to(std::vector<pollfd>& polled) const;
  int patience() const;
  void serve();

 private:
  struct Address {
    sockaddr_storage storage;
    socklen_t size;
    int family() const { return storage.ss_family; }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  };
  // A connection that is being made while its caller waits.
  struct Pending {
    std::uint64_t id;
    pid_t thread;
    int number;         // the caller's descriptor
    Descriptor socket;  // the new one, or the caller's own
    bool replaces;      // the new one is to be put in the caller's place
    bool tries_again;   // a Unix socket with a full backlog says nothing when there is room
    bool blocking;      // the caller's socket was, and is to be again
    Address address;
  };

  void receive();
  void answer(std::uint64_t id, int error);
  bool is_waited_for(std::uint64_t id) const;
  Descriptor socket_of(pid_t thread, int number, int& error) const;
  void listen(const seccomp_notif& call);
  void connect(const seccomp_notif& call);
  void connect_out(const seccomp_notif& call, const Descriptor& theirs, const Address& address);
  void connect_here(const seccomp_notif& call, Descriptor theirs, const Address& address);
  int connect_unix(const seccomp_notif& call, const Descriptor& theirs, const Address& address);
  int replace(std::uint64_t id, pid_t thread, int number, const Descriptor& socket) const;
  bool is_of_machine(const Descriptor& socket) const;
  bool finish(Pending& pending);

  Descriptor listener_;
  Rules rules_;
  const Egress& egress_;
  std::uint64_t machine_ = 0;  // the machine's network namespace
  std::vector<Pending> pending_;
};

}  // namespace lambed::sandbox
