// What the server and a launcher say to each other. Values.
//
//   server -> launcher                         launcher -> server
//   Hello    the plugin, once, first           Ready    the interpreter runs, or why not
//   Spawn    a worker + its descriptors        Started  the file with its memory use
//   Act      kill, freeze, ... a worker        Ended    how it ended; the last word about it
//
// The launcher is trusted code of the same version; messages are read with care all the same, so that a broken one is an
// error and nothing worse.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambed::channel {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// First word of every message.
enum class MessageKind : std::uint64_t {
  kHello = 1,
  kSpawn = 2,
  kAct = 3,
  kReady = 11,
  kStarted = 12,
  kEnded = 13
};

inline constexpr std::uint64_t kProtocolVersion = 1;

struct Hello {
  std::uint64_t version = kProtocolVersion;
  std::string plugin_path;
  Pairs options;                   // of the host: {"interpreter", ...}
  std::string server;              // a name for its cgroups
  std::uint64_t worker_stock = 0;  // workers to have ready
};

struct Ready {
  bool ok = false;
  std::string message;  // why not
  std::string language, interpreter_version, interpreter_path;
  std::string layer;                     // of the sandbox, in words
  std::vector<std::string> soft_limits;  // names of those that it does not enforce; empty: it is strict
  std::vector<std::string> notices;      // what the interpreter had to say while it started
};

// The descriptors that come with it, in this order: the channel's memory, standard output, standard error.
struct Spawn {
  std::uint64_t id = 0;
  std::string function_name, function_version, function_id, code_id, runtime, handler;
  std::string task_root;            // where it lies in the server's file system
  std::vector<std::string> layers;  // the same; first the one that wins
  Pairs variables;
  std::uint64_t memory_limit = 0;
  std::uint64_t tmp_bytes = 0;
  double cores = 0;
  std::int64_t init_deadline = 0;
  std::string log_group, log_stream;
  bool json_logs = false;
  bool host_loopback = false;            // may reach the machine's
  std::string address;                   // of the function's VPC, "10.0.1.5/24"; empty: it is in none
  Pairs egress;                          // what its groups let out: {"tcp 443 443", "10.0.0.0/8"}
  std::vector<std::string> unreachable;  // ranges where nobody answers
};

enum class Deed : std::uint64_t { kKill = 1, kFreeze = 2, kThaw = 3, kBeginQuota = 4 };

struct Act {
  std::uint64_t id = 0;
  Deed deed = Deed::kKill;
};

// With it comes, if there is one, a file that tells the highest memory use of its tree.
struct Started {
  std::uint64_t id = 0;
  std::int64_t pid = 0;
};

struct Ended {
  std::uint64_t id = 0;
  int exit_code = 0;
  int signal = 0;
  bool out_of_memory = false;
  std::uint64_t memory_peak = 0;
  std::string problem;  // not empty: it did not even start, for this reason
};

std::string encode(const Hello& message);
std::string encode(const Ready& message);
std::string encode(const Spawn& message);
std::string encode(const Act& message);
std::string encode(const Started& message);
std::string encode(const Ended& message);

// Nothing when the bytes are not a whole message of that kind.
std::optional<MessageKind> kind_of(std::string_view bytes);
std::optional<Hello> decode_hello(std::string_view bytes);
std::optional<Ready> decode_ready(std::string_view bytes);
std::optional<Spawn> decode_spawn(std::string_view bytes);
std::optional<Act> decode_act(std::string_view bytes);
std::optional<Started> decode_started(std::string_view bytes);
std::optional<Ended> decode_ended(std::string_view bytes);

}  // namespace lambed::channel
