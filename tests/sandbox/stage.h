// Where attacks are played: the test process forks a launcher, as root or another user, which makes a Supervisor of one layer
// and a Site to attack, and reports what came of each attack.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "environments/sandbox/sandbox.h"
#include "sandbox/attack.h"

namespace lambed::testing {

struct Played {
  std::string control;  // how it ended where nothing stops it: "done"
  std::string inside;   // and in the sandbox
};

struct Performance {
  std::string problem;  // why nothing could be played; empty when all is well
  std::map<std::string, Played> played;
};

// "done", "EPERM", "signal 9", "out of memory".
std::string text_of_outcome(int error);
std::string text_of_ending(const sandbox::Ending& ending);

// Waits for the tree's end, at most `milliseconds`; kills it then.
sandbox::Ending end_of(sandbox::Supervisor& supervisor, sandbox::Child child, int milliseconds = 20'000);

// Forks, runs `part` there, and gives what it wrote. For a launcher that must have one thread and may give up its rights.
std::string in_a_process(const std::function<std::string()>& part);
// The calling process becomes uid and gid 65534 for good.
void become_nobody();

// Not in a chroot, and on some machines not for anybody.
bool user_namespaces_can_be_had();
// The layers that can be had on this machine, each for root (true) and for nobody where that makes a difference.
std::vector<std::pair<sandbox::Layer, bool>> stages();

// The attacks of all lists, or of one. Attacks that need root are left out for nobody. `prepared`: from
// environments that were made before it was known whose they would be.
Performance play(sandbox::Layer layer, bool as_root, const std::vector<Attack>& attacks,
                 bool prepared = false, const sandbox::Network& network = {});

}  // namespace lambed::testing
