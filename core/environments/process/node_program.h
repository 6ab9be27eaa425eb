// The installed `node` of a version: what Node.js workers run in where there is one with a plugin for it, else libnode.
//
// Threads: functions; any thread. Programs that were asked for their version are remembered while the process lives.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lambed::process {

struct NodeProgram {
  std::string path;     // absolute
  std::string version;  // "20.11.1"
  std::string plugin;   // for its ABI
  std::string library;  // of lambed-worker, to be loaded into it before its own code runs
};

// The first one of that major version ("20") that has a plugin: this process's own program, if that is a node, then `node` and
// `node20` on the path. Of any version when that is empty. Errors: HostUnavailable with a sentence about what is missing.
Result<NodeProgram> find_node(std::string_view major);

// That one.
Result<NodeProgram> node_at(const std::string& path);

// "nodejs20.x" -> "20"; empty when there is no number.
std::string node_major_of(std::string_view runtime);

}  // namespace lambed::process
