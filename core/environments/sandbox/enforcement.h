// What each layer of the sandbox, and in-process isolation, enforces: one table for `lambed doctor`, docs/isolation.md and
// --require-isolation. Data, for any thread; what tries layers says otherwise.
#pragma once

#include <string>
#include <vector>

#include "environments/sandbox/sandbox.h"

namespace lambed::sandbox {

enum class Grade {
  kHard,     // by the kernel; cannot be crossed
  kGuarded,  // watched, or with a gap that `how` names
  kNotEnforced,
};

struct Enforcement {
  Grade grade;
  const char* how;  // a few words: by what, or with what gap; may be empty
};

struct EnforcedLimit {
  const char* limit;      // "memory"
  Enforcement layers[4];  // by the order of Layer
  Enforcement in_process;
};

// In the order in which they are shown.
const std::vector<EnforcedLimit>& enforced_limits();

// What a function can do with each: no limit, and no part of strictness.
struct Offer {
  const char* what;       // "outbound TCP"
  const char* layers[4];  // "yes", "no", or how
  const char* in_process;
};
const std::vector<Offer>& offers();
// "hard: memory cgroup", "guarded: ...", "not enforced".
std::string text_of(const Enforcement& enforcement);
// Everything is hard: what --require-isolation=strict asks for. Names of the limits that are not, for the message.
std::vector<std::string> not_hard_in(Layer layer);
// Both tables, for docs/isolation.md and for a terminal.
std::string enforcement_as_markdown();
std::string enforcement_as_text();

// What can be had on this machine, by trying each layer; forks, so before there are threads. The first that is available is
// what Supervisor::create takes.
struct LayerReport {
  Layer layer;
  bool available = false;
  std::string reason;  // why it is not, and what to do
  // Of an available one:
  bool lets_datagrams_out = false;  // else UDP is missing, for want of /dev/net/tun
  std::string
      why_no_image;  // of a root layer: why what is written to /tmp counts as memory; empty: it does not
};
std::vector<LayerReport> try_layers();
// The layer that a launcher of this process would have, tried in a child. Before there are threads. Errors: as
// Supervisor::create.
Result<Layer> best_layer();

}  // namespace lambed::sandbox
