// What became of an invocation or of init, gathered from wherever it is decided: the handler's result, its
// callback, a listener of node, process.exit.
#ifndef LAMBED_HOSTS_NODE_ANSWER_H
#define LAMBED_HOSTS_NODE_ANSWER_H

#include <cstdint>
#include <string>
#include <string_view>

namespace lambed::node_host {

enum class AnswerKind : uint8_t {
  kNone,       // still running
  kSucceeded,  // payload is the result
  kFailed,     // payload is the error document
  kRefused,    // payload says why
  kExited,     // process.exit or a signal
};

struct Answer {
  AnswerKind kind = AnswerKind::kNone;
  bool waits_for_empty_loop = false;  // a callback's answer counts when nothing is left to do
  bool ends_environment = false;      // Lambda's runtime would have ended its process
  std::string payload;
  std::string error_type;
  int exit_code = 0;
  int term_signal = 0;

  // The first answer counts, but nothing outlives the end of the process.
  void set(AnswerKind new_kind, std::string_view new_payload, std::string_view type = {}) {
    if (kind != AnswerKind::kNone) return;
    kind = new_kind;
    payload = new_payload;
    error_type = type;
  }
  void set_exited(int code, int signal) {
    if (kind == AnswerKind::kExited) return;
    kind = AnswerKind::kExited;
    ends_environment = true;
    exit_code = code;
    term_signal = signal;
  }
  void clear() {
    if (kind == AnswerKind::kNone) return;
    kind = AnswerKind::kNone;
    waits_for_empty_loop = ends_environment = false;
    exit_code = term_signal = 0;
  }
};

}  // namespace lambed::node_host
#endif
