// The Lambda REST API on top of gateways: routing, accounts, both layers of checks, operations, and what an operator asks.
//
// Threads: admit, handle and refuse on the server's loops, which they never block: operations of the control plane and large
// payloads go to workers, invocations are answered from their environments' threads. Everything else from any thread.
// Life: make the Api, then the http::Server with it; before the end drain the server, then destroy it, then the Api.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/access_log.h"
#include "api/call.h"
#include "api/log_hub.h"
#include "api/metrics.h"
#include "base/ids.h"
#include "base/workers.h"
#include "gateway/core.h"
#include "http/server.h"

namespace lambed::api {

struct ApiOptions {
  GatewayOptions gateway = {};  // region and account: the defaults for requests that name none
  gateway::Storage storage = {};
  std::vector<std::string> hosts = {};  // beside this machine's own names; see foreign()
  bool strict_runtimes = false;
  Isolation isolation = Isolation::kInProcess;  // of the functions that are created here
  // False: what is Pending or InProgress stays so until settle_all(). For tests.
  bool settles = true;
  std::size_t workers = 16;
  std::shared_ptr<LogSink> log_sink = {};  // where the functions' logs go beside `lambed logs`; null: nowhere
  std::shared_ptr<AccessLog> access_log = {};  // null: none
};

// One account in one region.
struct Scope {
  std::string account;
  std::string region;
  std::shared_ptr<LogSink> sink;
  std::unique_ptr<gateway::Core> core;
  std::string key() const { return account + "/" + region; }
  catalog::Catalog& catalog() const { return core->catalog(); }
};

class Api final : public http::Application {
 public:
  explicit Api(ApiOptions options);
  ~Api() override;

  Admission admit(const http::Request& head) override;
  void handle(http::Exchange exchange) override;
  http::Response refuse(int status, std::string_view why, const http::Request* head,
                        std::uint64_t received) override;

  // ---- For operations and for the program.
  const ApiOptions& options() const { return options_; }
  // Made on first use; at most kMostScopes.
  Scope& scope(const std::string& account, const std::string& region);
  Scope& default_scope() { return scope(options_.gateway.account, options_.gateway.region); }
  catalog::Store& store() { return *options_.storage.store; }
  LogHub& logs() { return logs_; }
  const Quotas& quotas() const { return options_.gateway.quotas; }
  std::string new_id() { return random_.uuid(); }

  // Ends Pending or InProgress of that function, by and by.
  void settle_later(Scope& scope, const std::string& function);
  void settle_all();
  // Says once, on the log, where the installed interpreter is of another version than the runtime.
  // InvalidParameterValueException under strict_runtimes.
  void check_runtime(const std::string& runtime);
  // Tells /health and /metrics about the server.
  void set_server(http::Server* server) { server_.store(server); }
  // Asynchronous invocations: begins no more and waits for those that run, all accounts together at most so long. What is not done
  // then stays in the queue.
  void end_events(std::chrono::milliseconds patience);
  // Answers 503 to /health from now on, and ends the followers of logs.
  void begin_drain();
  // Environments that cannot be stopped: their threads run on whatever is closed.
  int abandoned_environments();

  static constexpr std::size_t kMostScopes = 32;

 private:
  struct Handling;

  // How the installed interpreter differs from that runtime, in words; starts it.
  std::optional<std::string> difference_of(const std::string& runtime, std::string_view language) const;
  void handle_lambda(std::shared_ptr<Handling> handling);
  void handle_own(const std::shared_ptr<Handling>& handling, std::string_view path);
  void run_operation(const std::shared_ptr<Handling>& handling);
  // Does `work` on the worker's thread that this is, and answers with its reply or its error.
  void reply_with(const std::shared_ptr<Handling>& handling, const std::function<Reply()>& work);
  void handle_dead_letters(const std::shared_ptr<Handling>& handling, std::string path);
  void invoke(const std::shared_ptr<Handling>& handling);
  void start_invocation(const std::shared_ptr<Handling>& handling);
  void tell_event(const std::shared_ptr<Handling>& handling, const std::string& request_id);
  void follow_logs(const std::shared_ptr<Handling>& handling, const std::string& function);
  void answer(const std::shared_ptr<Handling>& handling, http::Response response);
  void answer(const std::shared_ptr<Handling>& handling, const Fault& fault);
  std::string metrics_text();
  void append_event_metrics(std::string& out);

  ApiOptions options_;
  SystemRandom random_;
  const SystemClock clock_;
  LogHub logs_;
  InvocationMetrics metrics_;
  std::atomic<http::Server*> server_{nullptr};
  std::atomic<bool> draining_{false};
  std::atomic<std::uint64_t> answers_[6] = {};  // by hundred of the status

  std::mutex scopes_mutex_;  // guards scopes_, whose values stay
  std::map<std::string, std::unique_ptr<Scope>> scopes_;
  std::mutex runtimes_mutex_;  // guards noticed_
  std::set<std::string> noticed_;

  Workers workers_;          // the control plane
  Workers payload_workers_;  // checks of large payloads
};

}  // namespace lambed::api
