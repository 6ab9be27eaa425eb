// The gateway: holds functions and takes invocations.
//
//   lambed::Gateway gateway;
//   gateway.create_function({.name = "hello", .runtime = "python3.11", .handler = "app.handler",
//                            .code = lambed::Code::directory("functions/hello")});
//   lambed::InvokeResult r = gateway.invoke({.function = "hello", .payload = R"({"name":"Ada"})"});
//
// Threads: every method may be called from any thread at any time, also from a callback. Several gateways may live in one
// process; they share its interpreters. After fork() the child must not use a gateway of its parent.
// Errors: every method throws lambed::Error; the callback form of invoke reports it in InvokeResult::error instead.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lambed/dead_letters.h"
#include "lambed/errors.h"
#include "lambed/events.h"
#include "lambed/function.h"
#include "lambed/invoke.h"
#include "lambed/networks.h"
#include "lambed/quotas.h"
#include "lambed/telemetry.h"

namespace [[gnu::visibility("default")]] lambed {

class Clock;   // base/clock.h: for lambed's own tests
class Random;  // base/ids.h

struct GatewayOptions {
  Quotas quotas = Quotas::classic();
  std::string region = "us-east-1";
  std::string account = "123456789012";
  std::shared_ptr<LogSink> log_sink;  // null: standard error
  // An environment without work for this long is closed. Lambda's own figure is not published; minutes are typical.
  std::chrono::milliseconds idle_expiry{std::chrono::minutes(10)};
  // Isolation `process`: a worker that has idled so long is frozen, and uses no processor time until its next call; 0: never.
  std::chrono::milliseconds freeze_after{100};
  // An environment serves no further call so long after its init; 0: no limit.
  std::chrono::milliseconds max_lifetime{0};
  // Isolation `process` runs nothing where the machine does not give what it takes to enforce every limit (docs/isolation.md).
  bool require_strict_isolation = false;
  // Isolation `process`: functions may reach what listens on this machine's loopback and addresses, which is refused otherwise.
  bool allow_host_loopback = false;
  // The networks that functions can be put into by their VpcConfig. With what cannot be one, no gateway is made:
  // InvalidParameterValueException.
  std::vector<Vpc> networks = {};
  // Isolation `process`: so many workers of each language wait ready for the next cold start (docs/isolation.md); 0: each is made
  // when it is needed.
  int worker_stock = 2;
  // How long an interrupted handler may take to stop before its environment is abandoned.
  std::chrono::milliseconds interrupt_grace{2000};
  // So many abandoned environments (handlers that cannot be stopped) are borne; then no new ones are opened.
  int max_abandoned_environments = 16;
  // Open environments of all functions together; the longest idle one makes room. 0: as many as the account's concurrency.
  int max_environments = 0;
  // How long close() waits for running handlers after interrupting them. With what the hosts need to stop, a process that
  // ends takes two seconds at most, whatever its handlers do.
  std::chrono::milliseconds close_grace{1500};
  // Asynchronous invocations (lambed/events.h). A function error is tried again after this time, and then after twice as much;
  // AWS: a minute, two minutes.
  std::chrono::milliseconds async_retry_base{60'000};
  // An embedded gateway keeps events in memory, so many and so many bytes of payload at most: what is over is refused with
  // TooManyRequestsException, reason EventQueueFull, and what waits when the process ends is gone. (`lambed serve --data` keeps
  // them on disk.)
  std::size_t max_waiting_events = 100'000;
  std::size_t max_waiting_event_bytes = 256 * 1024 * 1024;
  // How long close() lets attempts of events run on before it interrupts them.
  std::chrono::milliseconds async_close_wait{1500};
  EventHook on_event_success = {};
  EventHook on_event_failure = {};
  // Options for language hosts by language: {"python", {{"interpreter", "/usr/bin/python3.12"}}}. The first gateway that
  // starts a host decides; later ones with other wishes get HostUnavailable.
  std::map<std::string, std::map<std::string, std::string>> host_options = {};
  // Where SQS, SNS, EventBridge and S3 are, which dead letters and records go to: "http://127.0.0.1:5000". Empty: what
  // AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> say, else AWS itself. Credentials come from AWS_ACCESS_KEY_ID,
  // AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else from a profile in ~/.aws/credentials; the variables are read when the
  // gateway is made.
  std::string aws_endpoint_url = {};
  std::shared_ptr<Clock> clock = {};    // null: the system's
  std::shared_ptr<Random> random = {};  // null: the system's
};

// The environments of a gateway at one moment.
struct GatewayStatus {
  int opening = 0;
  int idle = 0;
  int busy = 0;
  int interrupting = 0;                // told to stop, not stopped yet
  int abandoned = 0;                   // cannot be stopped; their threads run on
  int in_flight = 0;                   // invocations admitted and not answered
  std::uint64_t late_completions = 0;  // answers that came after the caller had his; ignored
};

// What `lambed doctor` reports of one plugin.
struct HostReport {
  std::string language;
  std::string plugin_path;
  std::string interpreter_version;
  std::string interpreter_path;
  bool available = false;
  std::string problem;  // cause and remedy in words when not available
};

// Where a callback runs.
enum class CallbackThread { kCoreLoop, kAny };

class Gateway {
 public:
  explicit Gateway(GatewayOptions options = {});
  ~Gateway();  // close()
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // ---- Functions. `function` takes every form of a name: see InvokeRequest::function.
  FunctionConfiguration create_function(CreateFunctionRequest request);
  FunctionConfiguration get_function_configuration(const std::string& function,
                                                   const std::string& qualifier = {}) const;
  FunctionConfiguration update_function_code(UpdateCodeRequest request);
  FunctionConfiguration update_function_configuration(UpdateConfigurationRequest request);
  std::vector<FunctionConfiguration> list_functions() const;
  // A qualifier deletes that version only. Invocations already admitted are finished.
  void delete_function(const std::string& function, const std::string& qualifier = {});

  FunctionConfiguration publish_version(PublishVersionRequest request);
  std::vector<FunctionConfiguration> list_versions(const std::string& function) const;

  AliasConfiguration create_alias(AliasRequest request);
  AliasConfiguration update_alias(AliasRequest request);
  AliasConfiguration get_alias(const std::string& function, const std::string& alias) const;
  std::vector<AliasConfiguration> list_aliases(const std::string& function) const;
  void delete_alias(const std::string& function, const std::string& alias);

  // Reserved concurrency; 0 blocks every invocation. nullopt: none is reserved.
  void put_function_concurrency(const std::string& function, int reserved);
  std::optional<int> get_function_concurrency(const std::string& function) const;
  void delete_function_concurrency(const std::string& function);
  // Keeps so many environments of a version or alias open. 0 removes the setting.
  void put_provisioned_concurrency(const std::string& function, const std::string& qualifier,
                                   int environments);

  // What becomes of events that are sent to a function, version or alias. Without a qualifier: to the function's $LATEST.
  EventInvokeConfiguration put_function_event_invoke_config(const EventInvokeRequest& request);
  EventInvokeConfiguration update_function_event_invoke_config(const EventInvokeRequest& request);
  EventInvokeConfiguration get_function_event_invoke_config(const std::string& function,
                                                            const std::string& qualifier = {}) const;
  void delete_function_event_invoke_config(const std::string& function, const std::string& qualifier = {});
  std::vector<EventInvokeConfiguration> list_function_event_invoke_configs(const std::string& function) const;

  // ---- Invocations.
  // Blocks until the handler has answered or its limit has passed, and no longer than that. A handler never runs on the
  // caller's thread.
  InvokeResult invoke(InvokeRequest request);
  // The same for callers that must stay reachable (Ctrl-C in a language binding): asks `go_on` about every 50 ms, on the
  // caller's thread. False gives the call up: the handler is interrupted, ServiceException with the reason CallGivenUp thrown.
  InvokeResult invoke(InvokeRequest request, const std::function<bool()>& go_on);
  // Returns at once; `done` runs on the core loop's thread, exactly once, and must not block or throw. It may invoke again.
  void invoke(InvokeRequest request, std::function<void(InvokeResult)> done);
  // The same with a choice of thread, for language bindings: kAny calls `done` on whichever thread has the answer, often the
  // environment's own, which holds its interpreter's lock. It saves a thread switch; `done` must only pass the result on, or
  // invoke again.
  void invoke(InvokeRequest request, std::function<void(InvokeResult)> done, CallbackThread thread);
  // The future throws lambed::Error for invocation errors.
  std::future<InvokeResult> invoke_future(InvokeRequest request);

  // InvocationType::kEvent: all forms answer as soon as the event is in the queue, with status 202 and its request id.

  // ---- Asynchronous invocations.
  // ResourceNotFoundException for an id that is not known (any more); see EventStatus.
  EventStatus event_status(const std::string& request_id) const;
  EventCounts event_counts() const;

  // ---- The table of dead letters: what was sent to the target lambed:local. In memory, and bounded: 10,000 letters, 64 MB.
  // Without payloads, oldest first.
  std::vector<DeadLetter> list_dead_letters(const DeadLetterQuery& query = {}) const;
  DeadLetter get_dead_letter(const std::string& id) const;
  // Sends the events again, as they were called, and takes out of the table what was accepted. What was a success is left
  // alone. Waits for the events' queue. Not from a callback.
  Redrive redrive_dead_letters(const DeadLetterSelection& selection = {});
  // Answers how many there were.
  std::size_t purge_dead_letters(const DeadLetterSelection& selection = {});

  // ---- Observation.
  FunctionUsage usage(const std::string& function) const;
  GatewayStatus status() const;
  // Starts nothing that `probe` does not need: with probe, every host is started once to see whether it works.
  static std::vector<HostReport> hosts(bool probe);

  // Refuses new invocations, answers those in flight (interrupting what runs, Sandbox.Timedout-like errors never: they get
  // GatewayClosed), closes all environments. Bounded by GatewayOptions::close_grace. Idempotent; any thread except the
  // core loop's (from a callback it only begins to close).
  void close();

 private:
  class Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace lambed
