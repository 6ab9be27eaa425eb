// Workers that are ready before anybody asks for them: forked, shut in and, where each starts its own interpreter, with that
// started. What such a worker does not know is its function: that it gets from the sandbox (code, layers, limits) and from its
// launcher (everything else, with the descriptors).
//
// Threads: the launcher's one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "environments/channel/messages.h"
#include "environments/sandbox/sandbox.h"
#include "worker/plugin.h"

namespace lambed::worker {

class Stock {
 public:
  // Forks a worker that runs what it is given; the launcher's way to do so.
  using Prepare =
      std::function<Result<sandbox::Child>(const std::vector<int>& keep, const std::function<void()>& warm_up,
                                           const std::function<int(const sandbox::Inside&)>& body)>;

  // Tags of what the stock watches have this bit.
  static constexpr std::uint64_t kTag = std::uint64_t{1} << 62;

  // `poll`: the launcher's epoll, where it watches two descriptors of each worker: its end, and what it has to say.
  Stock(std::size_t wanted, const Plugin& plugin, sandbox::Supervisor& supervisor, int poll, Prepare prepare);

  // When add() is to be called, unless a worker is asked for before; kNever: the stock is full.
  Nanos refill_at() const;
  // Makes one more worker.
  void add();
  // Until the end of that worker's start, and a moment more, the processor is its own.
  void starts(std::uint64_t worker);
  void has_started(std::uint64_t worker);
  // What has this tag can be read.
  void look(std::uint64_t tag);

  // Makes a worker the function's. Nothing: there is none, or none that will do; one is to be made from scratch. `order`: the
  // Spawn as it came.
  std::optional<sandbox::Child> hand_out(const channel::Spawn& spawn, const sandbox::Spec& spec,
                                         const std::string& order, const std::vector<int>& descriptors);
  // The launcher ends them with its others.
  std::vector<sandbox::Child> take_all();

 private:
  struct Worker {
    sandbox::Child child;
    Descriptor control;
    bool is_ready = false;
  };
  bool suits(const channel::Spawn& spawn) const;
  void watch(std::uint64_t number, bool watches);
  void drop(std::uint64_t number);

  const std::size_t wanted_;
  const Plugin& plugin_;
  sandbox::Supervisor& supervisor_;
  const int poll_;
  const Prepare prepare_;
  std::map<std::uint64_t, Worker> workers_;
  std::uint64_t next_ = 1;
  std::set<std::uint64_t> starting_;  // functions' workers, by their ids
  Nanos quiet_since_ = 0;
  int failures_ = 0;  // in a row
};

}  // namespace lambed::worker
