// From a request to a dispatched invocation. Timers and closing: engine_upkeep.cc.
#include "invocation/engine.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/json.h"
#include "invocation/answers.h"
#include "model/reference.h"

namespace lambed::invocation {
namespace {

// Counts the forks this process descends from, so that a child can tell that the threads of its engine stayed behind.
std::atomic<unsigned> g_forks{0};

unsigned fork_generation() {
  static const int kRegistered =
      pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(kRegistered);
  return g_forks.load(std::memory_order_relaxed);
}

Error closed_error() { return Error(ErrorCode::GatewayClosed, "The gateway is closed."); }

// How long a caller that must stay reachable waits before it looks up.
constexpr Nanos kReachable = to_nanos(std::chrono::milliseconds(50));

// The shape nearly every call has: a bare name. Everything else goes through the full parser.
bool is_bare_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

Engine::Engine(const GatewayOptions& options, catalog::Directory& directory)
    : services_(std::make_shared<Services>(options)),
      directory_(directory),
      fork_generation_(fork_generation()) {}

Engine::~Engine() = default;

bool Engine::is_of_parent() const { return fork_generation_ != g_forks.load(std::memory_order_relaxed); }

Result<void> Engine::check(const InvokeRequest& request) const {
  if (is_of_parent()) {
    return Error(ErrorCode::GatewayClosed,
                 "This gateway belongs to the parent of this process: its threads did not survive fork(). "
                 "Make a new gateway in "
                 "the child, or start the child with spawn instead of fork.");
  }
  if (services_->closing.load(std::memory_order_relaxed)) return closed_error();
  const bool is_event = request.type == InvocationType::kEvent;
  const Quotas& quotas = services_->options.quotas;
  const std::uint64_t limit = is_event ? quotas.async_payload : quotas.sync_payload;
  if (request.payload.size() > limit) {
    return Error(ErrorCode::RequestEntityTooLargeException,
                 std::to_string(request.payload.size()) + " byte payload is too large for the " +
                     (is_event ? "Event" : "RequestResponse") + " invocation type (limit " +
                     std::to_string(limit) + " bytes)");
  }
  for (const auto& [what, text] :
       {std::pair<const char*, const std::string&>{"client context", request.client_context},
        {"Cognito identity", request.cognito_identity}}) {
    if (text.empty()) continue;
    if (const auto fault = json_fault(text)) {
      return Error(ErrorCode::InvalidRequestContentException,
                   std::string("Could not parse ") + what + " as JSON: " + *fault);
    }
  }
  if (request.payload.empty()) return {};
  if (const auto fault = json_fault(request.payload)) {
    return Error(ErrorCode::InvalidRequestContentException,
                 "Could not parse request body into json: Could not parse payload into json: " + *fault);
  }
  return {};
}

Result<Engine::Version> Engine::resolve(const InvokeRequest& request, std::string& invoked_arn) const {
  const double random01 = services_->random->unit();
  if (is_bare_name(request.function) && request.qualifier.empty()) {
    auto version = directory_.resolve(request.function, {}, random01);
    if (version.ok()) invoked_arn = (*version)->arn;
    return version;
  }
  const auto reference = model::parse_function_reference(
      request.function, request.qualifier, {services_->options.region, services_->options.account});
  if (!reference.ok()) return reference.error();
  auto version = directory_.resolve(reference->name, reference->qualifier, random01);
  if (version.ok()) invoked_arn = reference->qualified_arn();
  return version;
}

Result<Invocation*> Engine::admit(InvokeRequest request, Delivery delivery) {
  if (auto checked = check(request); !checked.ok()) return checked.error();
  return admit_checked(std::move(request), delivery);
}

Result<Invocation*> Engine::admit_checked(InvokeRequest request, Delivery delivery) {
  std::string invoked_arn;
  auto version = resolve(request, invoked_arn);
  if (!version.ok()) return version.error();
  std::shared_ptr<EnvironmentPool> pool = pool_for(*version);
  if (pool == nullptr) return closed_error();
  const std::optional<int> reserved = (*version)->reserved_concurrency;
  if (auto admitted = services_->account.admit(*pool->function(), reserved); !admitted.ok())
    return admitted.error();

  Invocation& invocation = services_->table.acquire();
  if (request.payload.empty()) request.payload = "{}";
  if (request.request_id.empty()) request.request_id = services_->random->uuid();
  invocation.request = std::move(request);
  invocation.invoked_arn = std::move(invoked_arn);
  invocation.version = std::move(*version);
  invocation.function = pool->function();
  invocation.pool = std::move(pool);
  invocation.counted_as_reserved = reserved.has_value();
  invocation.submitted = services_->clock->now();
  invocation.started = 0;
  invocation.init_duration.reset();
  invocation.delivery = delivery;
  return &invocation;
}

void Engine::set_event_queue(std::shared_ptr<EventQueue> queue) { events_ = std::move(queue); }

void Engine::enqueue(InvokeRequest request, std::function<void(InvokeResult)> done) {
  const auto refuse = [&](const Error& error) {
    InvokeResult refused;
    refused.request_id = request.request_id;
    refused.status_code = error.http_status();
    refused.error = error;
    done(std::move(refused));
  };
  if (auto checked = check(request); !checked.ok()) return refuse(checked.error());
  const auto reference = model::parse_function_reference(
      request.function, request.qualifier, {services_->options.region, services_->options.account});
  if (!reference.ok()) return refuse(reference.error());
  // An event for what is not there is an error of its caller, who still listens.
  if (auto version = directory_.resolve(reference->name, reference->qualifier, 0.0); !version.ok())
    return refuse(version.error());
  if (events_ == nullptr) {
    return refuse(Error(ErrorCode::OperationNotSupportedException,
                        "This gateway takes no invocations of type Event: it has no queue for them."));
  }
  if (request.payload.empty()) request.payload = "{}";
  events_->accept(std::move(request), reference->name, reference->qualifier,
                  [done = std::move(done)](Result<std::string> accepted) {
                    InvokeResult result;
                    if (accepted.ok()) {
                      result.status_code = 202;
                      result.request_id = std::move(*accepted);
                    } else {
                      result.status_code = accepted.error().http_status();
                      result.error = accepted.error();
                    }
                    done(std::move(result));
                  });
}

Result<void> Engine::attempt(InvokeRequest request, std::function<void(InvokeResult)> done) {
  if (services_->closing.load(std::memory_order_relaxed)) return closed_error();
  auto admitted = admit_checked(std::move(request), Delivery::kCallbackAnywhere);
  if (!admitted.ok()) return admitted.error();
  (*admitted)->callback = std::move(done);
  dispatch(**admitted);
  return {};
}

void Engine::dispatch(Invocation& invocation) {
  const std::shared_ptr<EnvironmentPool> pool = invocation.pool;
  if (pool->dispatch(invocation)) return;
  // The gateway began to close after the check. Nobody else knows this invocation yet.
  if (invocation.claim(invocation.token())) answer_error(*services_, invocation, closed_error());
  invocation.let_go();
}

std::optional<InvokeResult> Engine::dry_run(const InvokeRequest& request) const {
  if (request.type != InvocationType::kDryRun) return std::nullopt;
  InvokeResult result;
  result.request_id = request.request_id.empty() ? services_->random->uuid() : request.request_id;
  std::string invoked_arn;
  auto checked = check(request);
  if (checked.ok()) {
    auto version = resolve(request, invoked_arn);
    if (version.ok()) {
      result.status_code = 204;
      result.executed_version = (*version)->version;
      return result;
    }
    result.error = version.error();
  } else {
    result.error = checked.error();
  }
  result.status_code = result.error->http_status();
  return result;
}

void Engine::give_up(Invocation& invocation) {
  const std::uint64_t token = invocation.token();
  if (!invocation.claim(token)) return;  // answered in this moment
  const std::shared_ptr<EnvironmentPool> pool = invocation.pool;
  const auto running = pool->withdraw(invocation, token, services_->clock->now());
  if (running) running->log().end({});
  answer_error(*services_, invocation,
               Error(ErrorCode::ServiceException,
                     "The caller gave the call up before the function had answered.", "CallGivenUp"));
  if (running) pool->interrupt_pinned(running, token);
}

Result<InvokeResult> Engine::invoke(InvokeRequest request, const std::function<bool()>& go_on) {
  if (auto dry = dry_run(request)) {
    if (dry->error) return *dry->error;
    return std::move(*dry);
  }
  if (request.type == InvocationType::kEvent) {
    std::future<InvokeResult> accepted = invoke_future(std::move(request));
    try {
      return accepted.get();
    } catch (const Error& error) {
      return error;
    }
  }
  auto admitted = admit(std::move(request), Delivery::kCallerWaits);
  if (!admitted.ok()) return admitted.error();
  Invocation& invocation = **admitted;
  dispatch(invocation);
  const Nanos patience = go_on ? kReachable : kNever;
  bool given_up = false;
  while (!invocation.caller.park(given_up ? kNever : patience, services_->spin_time(1))) {
    if (!go_on || given_up || go_on()) continue;
    given_up = true;
    give_up(invocation);
  }
  InvokeResult result = invocation.take_result();
  invocation.let_go();
  if (result.error) return *result.error;
  return result;
}

void Engine::invoke(InvokeRequest request, std::function<void(InvokeResult)> done, CallbackThread thread) {
  if (request.type == InvocationType::kEvent) {
    if (thread == CallbackThread::kAny) return enqueue(std::move(request), std::move(done));
    return enqueue(std::move(request), [loop = services_->loop, done = std::move(done)](InvokeResult result) {
      auto answer = std::make_shared<InvokeResult>(std::move(result));
      const auto call = [answer, done] { done(std::move(*answer)); };
      if (!loop->post(call)) call();
    });
  }
  InvokeResult refused;
  if (auto dry = dry_run(request)) {
    refused = std::move(*dry);
  } else {
    refused.request_id = request.request_id;
    auto admitted = admit(std::move(request),
                          thread == CallbackThread::kAny ? Delivery::kCallbackAnywhere : Delivery::kCallback);
    if (admitted.ok()) {
      (*admitted)->callback = std::move(done);
      dispatch(**admitted);
      return;
    }
    refused.error = admitted.error();
    refused.status_code = refused.error->http_status();
  }
  auto answer = std::make_shared<std::pair<std::function<void(InvokeResult)>, InvokeResult>>(
      std::move(done), std::move(refused));
  const auto call = [answer] { answer->first(std::move(answer->second)); };
  if (thread == CallbackThread::kAny || !services_->loop->post(call)) call();
}

std::future<InvokeResult> Engine::invoke_future(InvokeRequest request) {
  std::promise<InvokeResult> promise;
  std::future<InvokeResult> future = promise.get_future();
  if (request.type == InvocationType::kEvent) {
    enqueue(std::move(request),
            [kept = std::make_shared<std::promise<InvokeResult>>(std::move(promise))](InvokeResult result) {
              if (result.error) {
                kept->set_exception(std::make_exception_ptr(*result.error));
              } else {
                kept->set_value(std::move(result));
              }
            });
    return future;
  }
  if (auto dry = dry_run(request)) {
    if (dry->error) {
      promise.set_exception(std::make_exception_ptr(*dry->error));
    } else {
      promise.set_value(std::move(*dry));
    }
    return future;
  }
  auto admitted = admit(std::move(request), Delivery::kFuture);
  if (!admitted.ok()) {
    promise.set_exception(std::make_exception_ptr(admitted.error()));
    return future;
  }
  (*admitted)->promise = std::move(promise);
  dispatch(**admitted);
  return future;
}

// ---- Pools.

std::shared_ptr<FunctionState> Engine::state_of(const std::string& function_id) {
  std::lock_guard lock(states_mutex_);
  auto& state = states_[function_id];
  if (state == nullptr) state = std::make_shared<FunctionState>();
  return state;
}

bool Engine::is_current(const catalog::FunctionVersion& version) const {
  const Snapshot snapshot = directory_.find(version.function_name);
  if (snapshot == nullptr) return false;
  if (snapshot->latest != nullptr && snapshot->latest->snapshot_id == version.snapshot_id) return true;
  return std::any_of(snapshot->versions.begin(), snapshot->versions.end(), [&version](const auto& entry) {
    return entry.second->snapshot_id == version.snapshot_id;
  });
}

std::shared_ptr<EnvironmentPool> Engine::pool_for(const Version& version) {
  Shard& shard = shards_[version->snapshot_id % shards_.size()];
  {
    std::lock_guard lock(shard.mutex);
    if (const auto it = shard.pools.find(version->snapshot_id); it != shard.pools.end()) return it->second;
  }
  auto made = std::make_shared<EnvironmentPool>(services_, version, state_of(version->function_id));
  std::shared_ptr<EnvironmentPool> pool;
  {
    std::lock_guard lock(shard.mutex);
    if (services_->closing.load(std::memory_order_seq_cst)) return nullptr;
    pool = shard.pools.emplace(version->snapshot_id, std::move(made)).first->second;
  }
  // The version may have been replaced between resolve and here, before its pool could be told.
  if (!is_current(*version)) retire(*pool);
  return pool;
}

std::vector<std::shared_ptr<EnvironmentPool>> Engine::pools() const {
  std::vector<std::shared_ptr<EnvironmentPool>> all;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (const auto& [id, pool] : shard.pools) all.push_back(pool);
  }
  return all;
}

FunctionUsage Engine::usage(const std::string& function_id) const {
  std::lock_guard lock(states_mutex_);
  const auto it = states_.find(function_id);
  return it == states_.end() ? FunctionUsage{} : it->second->meter.read();
}

EnvironmentsOf Engine::environments_of(const catalog::FunctionVersion& version) const {
  const Shard& shard = shards_[version.snapshot_id % shards_.size()];
  std::shared_ptr<EnvironmentPool> pool;
  {
    std::lock_guard lock(shard.mutex);
    if (const auto it = shard.pools.find(version.snapshot_id); it != shard.pools.end()) pool = it->second;
  }
  if (pool == nullptr) return {};
  const PoolStatus status = pool->status();
  return {status.idle + status.busy, status.init_fails};
}

GatewayStatus Engine::status() const {
  GatewayStatus total;
  for (const auto& pool : pools()) {
    const PoolStatus s = pool->status();
    total.opening += s.opening;
    total.idle += s.idle;
    total.busy += s.busy;
    total.interrupting += s.interrupting;
    total.in_flight += s.busy + s.pending;
  }
  total.abandoned = services_->environments.abandoned_now();
  total.late_completions = services_->late_completions.load(std::memory_order_relaxed);
  return total;
}

}  // namespace lambed::invocation
