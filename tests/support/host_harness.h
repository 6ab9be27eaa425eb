// A core with nothing in it but the plugin ABI: any host plugin can be loaded, opened and invoked alone.
//
// Use from one test thread at a time; the plugin may call back from as many threads as it likes. Everything that the plugin
// may still touch (environment records, the core table) lives as long as the process, so an abandoned environment that ends
// late does no harm.
#pragma once

#include <lambed/host.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace lambed::testing {

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::chrono::milliseconds kPatience{20000};

// lambed_environment_options with owners. The defaults describe a small function; `runtime`, `handler` and `task_root` are
// the caller's.
struct EnvironmentSpec {
  std::string function_name = "function";
  std::string function_version = "$LATEST";
  std::string function_id = "function-id";
  std::string code_id;  // empty: task_root is used, so that one folder is one code
  std::string runtime;
  std::string handler;
  std::string task_root;
  std::vector<std::string> layers;
  Pairs variables;
  std::uint64_t memory_limit = std::uint64_t{128} << 20;
  std::int64_t init_deadline = 0;
  std::string log_group = "/aws/lambda/function";
  std::string log_stream = "2025/11/24/[$LATEST]0123456789abcdef0123456789abcdef";
  bool json_logs = false;
};

// lambed_invocation with owners. `timeout` becomes the deadline; the harness interrupts nothing by itself.
struct InvocationSpec {
  std::string event = "{}";
  std::string request_id = "8f7a1c6e-0000-4000-8000-000000000001";
  std::string invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function";
  std::string function_version = "$LATEST";
  std::string client_context;
  std::string cognito_identity;
  std::string trace_id;
  std::string tenant_id;
  std::chrono::milliseconds timeout{3000};
};

struct Outcome {
  lambed_outcome_kind kind = LAMBED_OUTCOME_SUCCESS;
  std::uint32_t flags = 0;
  int exit_code = 0;
  int term_signal = 0;
  std::string payload;
  std::string error_type;
  std::uint64_t memory_peak = 0;

  bool succeeded() const { return kind == LAMBED_OUTCOME_SUCCESS; }
  bool discards() const { return (flags & LAMBED_OUTCOME_DISCARD) != 0; }
  bool is_binary() const { return (flags & LAMBED_OUTCOME_BINARY) != 0; }
};

struct LogRecord {
  lambed_stream stream;
  std::string bytes;
  std::int64_t realtime_us;
};

struct EnvironmentRecord;

// One execution environment of the host under test. A handle: cheap to copy, valid as long as the process.
class HarnessEnvironment {
 public:
  // What `opened` said; nothing when it was not called in time.
  std::optional<Outcome> wait_opened(std::chrono::milliseconds timeout = kPatience) const;
  // Waits for `opened`; throws std::runtime_error with the document when it was not SUCCESS.
  const HarnessEnvironment& expect_opened() const;

  // Queues an invocation; `take` hands it out. Returns its token.
  std::uint64_t submit(const InvocationSpec& invocation) const;
  std::uint64_t submit(const std::string& event) const;
  // True once `take` has handed out that invocation.
  bool wait_taken(std::uint64_t token, std::chrono::milliseconds timeout = kPatience) const;
  std::optional<Outcome> wait_outcome(std::uint64_t token,
                                      std::chrono::milliseconds timeout = kPatience) const;
  // How often `complete` was called for that token: a correct host says 1 at most.
  int completions(std::uint64_t token) const;
  // submit + wait_outcome; throws std::runtime_error when no answer comes in time.
  Outcome invoke(const InvocationSpec& invocation) const;
  Outcome invoke(const std::string& event) const;

  // Hands out the same event `count` times back to back without a thread switch between them, and returns the mean time of
  // one in nanoseconds. Throws when an invocation fails.
  double mean_ns(const std::string& event, std::uint64_t count) const;

  lambed_interrupt interrupt(std::uint64_t token) const;
  // Interrupts every 50 ms, as the core does, until the invocation (0: the init) has been answered.
  std::optional<Outcome> interrupt_until_answered(std::uint64_t token,
                                                  std::chrono::milliseconds timeout = kPatience) const;
  void abandon() const;
  lambed_usage usage() const;

  // `take` says CLOSE from now on, once the queued invocations have been taken.
  void request_close() const;
  bool wait_closed(std::chrono::milliseconds timeout = kPatience) const;
  // Both; throws when `closed` does not come in time.
  void close() const;

  // All output so far, joined; waits for nothing.
  std::string log(lambed_stream stream) const;
  std::string log() const;
  std::vector<LogRecord> log_records() const;
  // Waits until the joined output contains `text`.
  bool wait_log(const std::string& text, std::chrono::milliseconds timeout = kPatience) const;
  // Notices that named this environment.
  std::vector<std::string> notices() const;

 private:
  friend class HostHarness;
  explicit HarnessEnvironment(EnvironmentRecord* record) : record_(record) {}
  EnvironmentRecord* record_;
};

// Loads one plugin and starts its host. The destructor closes what is still open (interrupting it) and stops the host.
class HostHarness {
 public:
  // Throws std::runtime_error with dlopen's or the host's message.
  explicit HostHarness(const std::string& plugin_path, const Pairs& options = {},
                       lambed_context context = LAMBED_CONTEXT_PROGRAM);
  // A host that is part of this program.
  explicit HostHarness(const lambed_host_api& api, const Pairs& options = {});
  ~HostHarness();
  HostHarness(const HostHarness&) = delete;
  HostHarness& operator=(const HostHarness&) = delete;

  // `file_name` in the folder that this build puts its plugins into.
  static std::string plugin(const std::string& file_name);

  // Throws std::runtime_error with the host's message when `open` itself fails.
  HarnessEnvironment open(const EnvironmentSpec& spec);
  // As the core does between gateways; then `stop`. The destructor does both, too.
  void quiesce();
  void stop();

  lambed_host_description describe() const;
  const lambed_host_api& api() const { return *api_; }
  // All notices of the process so far, with and without an environment.
  static std::vector<std::string> notices();
  static bool wait_notice(const std::string& text, std::chrono::milliseconds timeout = kPatience);

 private:
  void start(const std::string& plugin_path, const Pairs& options, lambed_context context);

  const lambed_host_api* api_ = nullptr;
  std::vector<EnvironmentRecord*> environments_;
  bool stopped_ = false;
};

}  // namespace lambed::testing
