// One execution environment of the scripted host: a thread that takes invocations and does what their scripts
// say.
#pragma once

#include <lambed/host.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "script.h"
#include "world.h"

namespace scripted {

void open_gate(const std::string& name);
void close_gate(const std::string& name);
bool is_gate_open(const std::string& name);
long waiting_at(const std::string& name);

inline std::string_view view(lambed_slice slice) {
  return slice.size == 0 ? std::string_view{} : std::string_view(slice.data, slice.size);
}
inline lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

// lambed_outcome with owners.
struct Answer {
  lambed_outcome_kind kind = LAMBED_OUTCOME_SUCCESS;
  std::uint32_t flags = 0;
  int exit_code = 0;
  int term_signal = 0;
  std::string payload;
  std::string error_type;
};

class Environment {
 public:
  explicit Environment(const lambed_environment_options& options);

  // Begins to run on a thread of its own, which deletes the environment after `closed`.
  void start();

  lambed_interrupt interrupt(std::uint64_t token);
  void abandon() { abandoned_.store(true); }
  void usage(lambed_usage* usage) const;

 private:
  static constexpr std::uint64_t kNothingRuns = ~std::uint64_t{0};

  void run();
  bool open();
  void rest(bool rests);
  void invoke(const lambed_invocation& invocation);

  // Carries out one step. False: interrupted, the script ends here.
  bool step(const Step& step, const lambed_invocation* invocation, Answer& answer);
  bool answer_step(const Step& step, const lambed_invocation* invocation, Answer& answer);
  bool log_step(const Step& step);
  bool deed_step(const Step& step, Answer& answer);
  bool is_interrupted() const { return interrupted_.load() == running_.load(); }
  // These wait for time or for a gate; false when interrupted (never, when `deaf`).
  bool pass_time(long milliseconds, bool heeds_interrupts);
  bool pass_gate(std::string_view name, bool heeds_interrupts);

  lambed_outcome outcome_of(const Answer& answer) const;
  void log(lambed_stream stream, std::string_view text);
  void log_lines(lambed_stream stream, std::string_view word, long count);
  std::string variable(std::string_view name) const;
  std::string identity_document(const lambed_invocation& invocation) const;

  void* user_;
  Seat* seat_ = nullptr;  // in a worker, once its thread runs
  std::string function_name_, function_version_, function_id_, code_id_, runtime_, handler_, task_root_,
      log_group_, log_stream_;
  std::vector<std::string> layers_;
  std::vector<std::pair<std::string, std::string>> variables_;
  std::uint64_t memory_limit_;
  long serial_;
  long served_ = 0;
  std::atomic<std::uint64_t> memory_peak_{1 << 20};
  std::mutex mutex_;  // held while one of the two that follow is changed after a look at the other
  std::atomic<std::uint64_t> running_{kNothingRuns};
  std::atomic<std::uint64_t> interrupted_{kNothingRuns -
                                          1};  // differs from running_ until somebody interrupts
  std::atomic<lambed_interrupt> says_meanwhile_{LAMBED_INTERRUPT_PENDING};  // `interrupt`, in a step
  std::atomic<bool> abandoned_{false};
};

}  // namespace scripted
