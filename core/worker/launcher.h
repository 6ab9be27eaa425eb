// The launcher: the one parent of all workers of a language and interpreter. It has one thread, runs no foreign code, holds the
// interpreter warm where that can be forked, and ends with the server, whose workers it takes along.
//
// Threads: one, by necessity: it forks interpreters, and its sandbox asks for it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "environments/channel/messages.h"
#include "environments/channel/packet.h"
#include "environments/sandbox/sandbox.h"
#include "worker/plugin.h"
#include "worker/stock.h"

namespace lambed::worker {

class Launcher {
 public:
  // `server`: readable when the server has ended, whatever copies of the control socket live on in its children.
  Launcher(Descriptor control, Descriptor server);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  // Until the server is gone. Returns the exit status.
  int run();

 private:
  using Workers = std::map<std::uint64_t, sandbox::Child>;

  void watch(int descriptor, std::uint64_t tag);
  int patience() const;
  bool receive();  // false: the server is gone
  bool handle(channel::Packet packet);
  void greet(const channel::Hello& hello);
  void begin_stock(std::size_t wanted);
  void spawn(const channel::Spawn& spawn, const std::string& order, std::vector<Descriptor> descriptors);
  Result<sandbox::Child> fork_worker(const channel::Spawn& spawn, std::vector<Descriptor> descriptors);
  // With the interpreter ready for it, and its own descriptors among those kept.
  Result<sandbox::Child> fork(std::vector<int> keep,
                              const std::function<Result<sandbox::Child>(const std::vector<int>&)>& make);
  void act(const channel::Act& act);
  void worker_ended(std::uint64_t id);
  void send(std::string bytes, std::vector<Descriptor> descriptors);
  void flush();
  void end_all();
  sandbox::Spec spec_of(const channel::Spawn& spawn) const;

  const Descriptor control_;
  const Descriptor server_;
  Descriptor poll_;
  std::optional<Plugin> plugin_;
  std::unique_ptr<sandbox::Supervisor> supervisor_;
  std::vector<std::string> runtime_paths_;
  std::vector<int>
      interpreter_descriptors_;  // that it opened when it started: its copies in workers need them
  Workers workers_;
  std::optional<Stock> stock_;  // nothing: none is wanted, or none can be had
  struct Outgoing {
    std::string bytes;
    std::vector<Descriptor> descriptors;
  };
  std::deque<Outgoing> outgoing_;
  bool waits_to_send_ = false;
};

}  // namespace lambed::worker
