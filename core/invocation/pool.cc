// Dispatch and the way of an invocation through an environment. Its opening and ending: pool_opening.cc, pool_ending.cc.
#include "invocation/pool.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include "invocation/answers.h"

namespace lambed::invocation {

using environments::EnvironmentState;

namespace {

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

Nanos timeout_of(const catalog::FunctionVersion& version) {
  return to_nanos(std::chrono::seconds(version.configuration.timeout_s));
}

}  // namespace

EnvironmentPool::EnvironmentPool(std::shared_ptr<Services> services,
                                 std::shared_ptr<const catalog::FunctionVersion> version,
                                 std::shared_ptr<FunctionState> function)
    : services_(std::move(services)), version_(std::move(version)), function_(std::move(function)) {}

EnvironmentPool::~EnvironmentPool() = default;

void EnvironmentPool::push_pending(Invocation& invocation) {
  invocation.is_pending = true;
  invocation.next_pending = nullptr;
  invocation.previous_pending = last_pending_;
  (last_pending_ != nullptr ? last_pending_->next_pending : first_pending_) = &invocation;
  last_pending_ = &invocation;
  ++pending_;
}

void EnvironmentPool::push_pending_first(Invocation& invocation) {
  invocation.is_pending = true;
  invocation.previous_pending = nullptr;
  invocation.next_pending = first_pending_;
  (first_pending_ != nullptr ? first_pending_->previous_pending : last_pending_) = &invocation;
  first_pending_ = &invocation;
  ++pending_;
}

void EnvironmentPool::remove_pending(Invocation& invocation) {
  (invocation.previous_pending != nullptr ? invocation.previous_pending->next_pending : first_pending_) =
      invocation.next_pending;
  (invocation.next_pending != nullptr ? invocation.next_pending->previous_pending : last_pending_) =
      invocation.previous_pending;
  invocation.is_pending = false;
  --pending_;
}

EnvironmentPool::Shared EnvironmentPool::shared(Environment& environment) const {
  return environment.shared_from_this();
}

// Calls the newest idle environment, unless one is on its way to the queue already.
EnvironmentPool::Shared EnvironmentPool::call_idle_one() {
  if (pending_ == 0 || idle_.empty() || woken_ + finishing_ > 0) return nullptr;
  Environment* environment = idle_.back();
  idle_.pop_back();
  environment->move_to(EnvironmentState::kWoken);
  ++woken_;
  return shared(*environment);
}

bool EnvironmentPool::dispatch(Invocation& invocation) {
  Shared called;
  bool open = false;
  Nanos deadline = invocation.submitted + timeout_of(*version_);
  {
    std::lock_guard lock(mutex_);
    if (services_->closing.load(std::memory_order_relaxed)) return false;
    invocation.ticket = ++dispatched_;
    push_pending(invocation);
    called = call_idle_one();
    if (pending_ > available() && !is_full()) {
      ++opening_;
      open = true;
    }
    // Whoever may have to wait for an init gets the time that Lambda allows for it on top; taking the invocation sets the
    // handler's own limit.
    if (opening_ > 0) deadline += to_nanos(services_->options.quotas.init_timeout);
    // Here and not after the lock: by then the invocation may have been answered and its record be another's.
    services_->arm(invocation, deadline);
  }
  if (called) called->parker().unpark();
  if (open) request_open(1);
  return true;
}

bool EnvironmentPool::has_lived_its_time(const Environment& environment, Nanos now) const {
  const Nanos lifetime = to_nanos(services_->options.max_lifetime);
  // Its init is no part of its life: one that takes longer to open than it may live would never serve.
  return lifetime > 0 && now - environment.opening_since - environment.init_duration >= lifetime;
}

lambed_take EnvironmentPool::take(Environment& environment, lambed_invocation& out) {
  if (services_->options.max_lifetime.count() > 0 &&
      has_lived_its_time(environment, services_->clock->now())) {
    lost(environment);
  }
  Shared called;
  Invocation* invocation = nullptr;
  Nanos now = 0;
  std::chrono::system_clock::time_point wall;
  {
    std::lock_guard lock(mutex_);
    const EnvironmentState state = environment.state();
    if (environment.is_ending()) return environment.pins > 0 ? LAMBED_TAKE_NOTHING : LAMBED_TAKE_CLOSE;
    if (pending_ == 0) {
      if (state == EnvironmentState::kIdle) return LAMBED_TAKE_NOTHING;
      if (state == EnvironmentState::kWoken) --woken_;
      if (state == EnvironmentState::kFinishing) --finishing_;
      if (retired_ || services_->closing.load(std::memory_order_relaxed)) {
        environment.move_to(EnvironmentState::kClosing);
        return environment.pins > 0 ? LAMBED_TAKE_NOTHING : LAMBED_TAKE_CLOSE;
      }
      environment.move_to(EnvironmentState::kIdle);
      // By the end of their work, not by who of several threads gets here first; nearly always that is the back.
      auto place = idle_.end();
      while (place != idle_.begin() && (*std::prev(place))->idle_since > environment.idle_since) --place;
      idle_.insert(place, &environment);
      return LAMBED_TAKE_NOTHING;
    }
    if (state == EnvironmentState::kIdle) leave_idle(environment);
    if (state == EnvironmentState::kWoken) --woken_;
    if (state == EnvironmentState::kFinishing) --finishing_;
    invocation = first_pending_;
    remove_pending(*invocation);
    environment.move_to(EnvironmentState::kBusy);
    ++busy_;
    now = services_->clock->now();
    environment.token = invocation->token();
    environment.invocation = invocation;
    invocation->environment = &environment;
    invocation->started = now;
    invocation->started_at = wall = services_->clock->wall();
    // An environment that was opened ahead of any call has kept no caller waiting.
    if (!environment.served && invocation->ticket <= environment.opened_after)
      invocation->init_duration = environment.init_duration;
    environment.served = true;
    called = call_idle_one();
  }
  if (called) called->parker().unpark();

  const InvokeRequest& request = invocation->request;
  const Nanos deadline = now + timeout_of(*version_);
  services_->arm(*invocation, deadline);
  environment.wants_tail = request.log_tail;
  environment.log().begin(request.request_id, request.log_tail, wall);

  out.token = environment.token;
  out.event = slice(request.payload);
  out.request_id = slice(request.request_id);
  out.invoked_function_arn = slice(invocation->invoked_arn);
  out.function_version = slice(version_->version);
  out.client_context = slice(request.client_context);
  out.cognito_identity = slice(request.cognito_identity);
  out.trace_id = slice(request.trace_id);
  out.tenant_id = slice(request.tenant_id);
  out.deadline = deadline;
  out.deadline_epoch_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                              wall.time_since_epoch() + std::chrono::nanoseconds(timeout_of(*version_)))
                              .count();
  return LAMBED_TAKE_INVOCATION;
}

bool EnvironmentPool::wait(Environment& environment, Nanos timeout) {
  return environment.parker().park(timeout, services_->spin_time(0));
}

void EnvironmentPool::complete(Environment& environment, std::uint64_t token, const lambed_outcome& outcome) {
  const Nanos now = services_->clock->now();
  Invocation* invocation = nullptr;
  bool replace = false;
  bool came_back = false;
  {
    std::unique_lock lock(mutex_);
    if (environment.token != token || token == 0) {
      lock.unlock();
      services_->late_completions.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    invocation = static_cast<Invocation*>(environment.invocation);
    environment.token = 0;
    environment.invocation = nullptr;
    invocation->environment = nullptr;
    if (outcome.memory_peak > environment.memory_peak) environment.memory_peak = outcome.memory_peak;
    environment.idle_since = now;
    switch (environment.state()) {
      case EnvironmentState::kBusy:
        --busy_;
        if (ends_environment(outcome)) {
          environment.move_to(EnvironmentState::kClosing);
          replace = (outcome.kind != LAMBED_OUTCOME_REFUSED || must_reopen()) && want_replacement();
        } else {
          environment.move_to(EnvironmentState::kFinishing);
          ++finishing_;
        }
        break;
      default:
        came_back = environment.state() == EnvironmentState::kAbandoned;
        environment.move_to(EnvironmentState::kClosing);
    }
  }
  if (came_back) services_->environments.came_back(environment.host());
  if (invocation->claim(token)) {
    answer_with(*services_, *invocation, environment,
                answer_of(outcome, invocation->request.request_id, services_->options.quotas), now);
  } else {
    services_->late_completions.fetch_add(1, std::memory_order_relaxed);
  }
  invocation->let_go();
  if (replace) request_open(1);
}

EnvironmentPool::Shared EnvironmentPool::withdraw(Invocation& invocation, std::uint64_t token, Nanos now) {
  bool was_pending = false;
  Shared running;
  {
    std::lock_guard lock(mutex_);
    if (invocation.is_pending) {
      remove_pending(invocation);
      was_pending = true;
    } else if (invocation.environment != nullptr && invocation.environment->token == token &&
               invocation.environment->state() == EnvironmentState::kBusy) {
      Environment& environment = *invocation.environment;
      --busy_;
      start_interrupting(environment, now);
      running = shared(environment);
    }
  }
  if (was_pending) invocation.let_go();
  return running;
}

}  // namespace lambed::invocation
