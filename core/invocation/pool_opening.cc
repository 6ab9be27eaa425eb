// How a pool opens its environments, each in its turn, and what their init comes to.
#include <algorithm>
#include <thread>
#include <utility>

#include "environments/process/process_host.h"
#include "environments/subnet_addresses.h"
#include "environments/variables.h"
#include "invocation/answers.h"
#include "invocation/pool.h"

namespace lambed::invocation {

using environments::EnvironmentState;

namespace {

// Inits that are begun at once in a language whose environments share one lock. More would not be ready sooner: they take the lock
// from each other, and Python's process-wide lock of imports, dozens of times each.
constexpr std::size_t kInitsAtOneLock = 2;
constexpr Nanos kFirstWarmPause = to_nanos(std::chrono::seconds(1));
constexpr Nanos kLongestWarmPause = to_nanos(std::chrono::minutes(1));

// Where they do not share one, they share the processors.
std::size_t inits_without_lock() {
  return std::max(kInitsAtOneLock, std::size_t{std::thread::hardware_concurrency()});
}

// An address of the first of the function's subnets that has one left.
Result<void> join_network(const catalog::FunctionVersion& version, const model::Networks& networks,
                          environments::EnvironmentSpec& spec) {
  const std::optional<VpcConfig>& vpc = version.configuration.vpc_config;
  if (!vpc || vpc->subnet_ids.empty()) return {};
  for (const std::string& id : vpc->subnet_ids) {
    const model::Networks::SubnetRange* subnet = networks.subnet(id);
    // It was there when the function was configured.
    if (subnet == nullptr)
      return Error(
          ErrorCode::ResourceNotReadyException,
          "The subnet " + id + " of the function's VpcConfig is not among the networks of this gateway.");
    auto lease = environments::SubnetAddresses::instance().take(subnet->range);
    if (!lease) continue;
    // Not made by emplace(): clang 14 has asked whether it can be before the class around it was complete, and remembers "no".
    environments::EnvironmentSpec::Network network;
    network.address = lease->address;
    network.prefix = lease->prefix;
    network.lease = std::move(lease->holder);
    network.egress = networks.egress_of(vpc->security_group_ids);
    network.unreachable = networks.ranges_of(subnet->vpc);
    spec.network = std::move(network);
    return {};
  }
  // Source: the documented text of this exception.
  return Error(
      ErrorCode::SubnetIPAddressLimitReachedException,
      "Lambda couldn't set up VPC access for the Lambda function because one or more configured subnets has "
      "no available IP addresses.");
}

}  // namespace

void EnvironmentPool::request_open(int count) {
  for (int i = 0; i < count; ++i) {
    if (!services_->opener.post([self = shared_from_this()] { self->open_one(); })) {
      open_failed(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
    }
  }
}

Result<environments::Host*> EnvironmentPool::find_host() const {
  const GatewayOptions& options = services_->options;
  const std::string language(environments::language_of_runtime(version_->configuration.runtime));
  const auto found = options.host_options.find(language);
  const environments::HostOptions wanted =
      found == options.host_options.end() ? environments::HostOptions{} : found->second;
  if (version_->configuration.isolation == Isolation::kProcess)
    return process::process_host_for(version_->configuration.runtime, wanted, options.worker_stock,
                                     options.require_strict_isolation);
  return environments::HostRegistry::instance().host_for(language, wanted);
}

Result<EnvironmentPool::Shared> EnvironmentPool::make_environment(environments::Host& host) {
  const GatewayOptions& options = services_->options;
  if (services_->environments.abandoned_that_count() >= options.max_abandoned_environments) {
    return Error(
        ErrorCode::ServiceException,
        "No execution environment can be opened: " + std::to_string(options.max_abandoned_environments) +
            " handlers run on that could not be stopped after their timeout (max_abandoned_environments). "
            "They end "
            "with their process only; run such functions with isolation 'process'.",
        "AbandonedEnvironmentLimitExceeded");
  }
  auto spec =
      environments::describe_environment(*version_, options, *services_->random, services_->clock->wall());
  if (!spec.ok()) return spec.error();
  if (auto joined = join_network(*version_, services_->networks, *spec); !joined.ok()) return joined.error();
  auto environment =
      std::make_shared<Environment>(shared_from_this(), host, std::move(*spec), services_->sink);
  for (const std::string& notice : host.take_notices()) environment->write_notice(notice);
  return environment;
}

void EnvironmentPool::open_one() {
  if (services_->closing.load(std::memory_order_relaxed)) {
    open_failed(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
    return;
  }
  const auto host = find_host();
  if (!host.ok()) {
    open_failed(host.error());
    return;
  }
  const std::size_t at_once = (*host)->has(LAMBED_HOST_SHARED_LOCK) ? kInitsAtOneLock : inits_without_lock();
  const bool posted = services_->opener.post_in_turn(
      *host, at_once, [self = shared_from_this(), host = *host](std::shared_ptr<void> turn) {
        self->open_in_turn(*host, std::move(turn));
      });
  if (!posted) open_failed(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
}

// Each call that finds nobody free asks for an environment. By the time it is this one's turn, those before it may have
// answered all of them, or the version may be gone.
bool EnvironmentPool::is_still_wanted() const {
  std::size_t ready = idle_.size() + static_cast<std::size_t>(woken_ + finishing_);
  for (const Shared& environment : environments_)
    if (environment->state() == EnvironmentState::kOpening) ++ready;
  if (pending_ > ready) return true;
  if (retired_) return false;
  return ready == 0 || ready + static_cast<std::size_t>(busy_) < static_cast<std::size_t>(keep_warm_);
}

void EnvironmentPool::open_in_turn(environments::Host& host, std::shared_ptr<void> turn) {
  if (services_->closing.load(std::memory_order_relaxed)) {
    open_failed(Error(ErrorCode::GatewayClosed, "The gateway is closed."));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    if (!is_still_wanted()) {
      --opening_;
      return;
    }
  }
  auto made = make_environment(host);
  if (!made.ok()) {
    open_failed(made.error());
    return;
  }
  const Shared environment = *made;
  const Nanos now = services_->clock->now();
  const Nanos deadline = now + to_nanos(services_->options.quotas.init_timeout);
  {
    std::lock_guard lock(mutex_);
    limit_ = environment->host().max_environments_per_version();
    if (limit_ != 0 && usable() > limit_) {
      --opening_;  // asked for before the limit was known; what waits is served by the others
      return;
    }
    // Made while the gateway began to close: whoever ends its environments has not seen this one, and nobody else would.
    if (services_->closing.load(std::memory_order_relaxed)) {
      --opening_;
      return;
    }
    environment->opening_since = now;
    environment->init_turn = std::move(turn);
    environments_.push_back(environment);
  }
  services_->environments.opened();
  const auto begun = environment->open(deadline);
  if (!begun.ok()) {
    {
      std::lock_guard lock(mutex_);
      std::erase(environments_, environment);
      if (environment->state() != EnvironmentState::kOpening)
        ++opening_;  // given up meanwhile, and counted then
    }
    services_->environments.closed();
    environment->init_turn.reset();
    open_failed(begun.error());
    return;
  }
  bool stop = false;
  {
    std::lock_guard lock(mutex_);
    environment->handle_ready = true;
    stop = environment->state() == EnvironmentState::kInterrupting;
    if (stop) ++environment->pins;
  }
  if (stop) {
    press(environment, 0);
  } else {
    watch_init(environment, deadline);
  }
}

// One environment less than was asked for. Invocations for which nothing is left get the reason.
void EnvironmentPool::open_failed(const Error& error) {
  std::vector<Invocation*> stranded;
  {
    std::lock_guard lock(mutex_);
    --opening_;
    warm_pause_ = std::clamp(warm_pause_ * 2, kFirstWarmPause, kLongestWarmPause);
    warm_again_ = services_->clock->now() + warm_pause_;
    while (pending_ > available() && (limit_ == 0 || usable() == 0)) {
      stranded.push_back(first_pending_);
      remove_pending(*first_pending_);
    }
  }
  for (Invocation* invocation : stranded) {
    if (invocation->claim(invocation->token())) answer_error(*services_, *invocation, error);
    invocation->let_go();
  }
}

void EnvironmentPool::opened(Environment& environment, const lambed_outcome& outcome) {
  const Nanos now = services_->clock->now();
  Invocation* victim = nullptr;
  bool came_back = false;
  bool reopen = false;
  const bool is_usable =
      outcome.kind == LAMBED_OUTCOME_SUCCESS && (outcome.flags & LAMBED_OUTCOME_DISCARD) == 0;
  {
    std::lock_guard lock(mutex_);
    environment.idle_since = now;
    environment.init_duration = now - environment.opening_since;
    environment.opened_after = dispatched_;
    environment.memory_peak = outcome.memory_peak;
    if (environment.state() != EnvironmentState::kOpening) {
      came_back = environment.state() == EnvironmentState::kAbandoned;
      environment.move_to(EnvironmentState::kClosing);
    } else if (is_usable) {
      --opening_;
      ++finishing_;
      warm_pause_ = 0;
      environment.move_to(EnvironmentState::kFinishing);
    } else {
      --opening_;
      environment.move_to(EnvironmentState::kClosing);
      warm_pause_ = std::clamp(warm_pause_ * 2, kFirstWarmPause, kLongestWarmPause);
      warm_again_ = now + warm_pause_;
      // A failed init answers the call that it was opened for.
      if (pending_ > available()) {
        victim = first_pending_;
        remove_pending(*victim);
      }
      reopen = must_reopen() && want_replacement();
    }
  }
  environment.init_turn.reset();
  // The loop may sleep as long as an init or a call may take, which is longer than this environment's idle time may be.
  if (is_usable) services_->loop->wake_by(now);
  if (came_back) services_->environments.came_back(environment.host());
  if (reopen) request_open(1);
  if (victim != nullptr) {
    if (victim->claim(victim->token())) {
      environment.log().begin(victim->request.request_id, victim->request.log_tail);
      Answer answer = answer_of(outcome, victim->request.request_id, services_->options.quotas);
      victim->started = now;  // the handler itself has not run at all
      victim->started_at = services_->clock->wall();
      victim->init_duration = now - environment.opening_since;
      answer_with(*services_, *victim, environment, std::move(answer), now);
    }
    victim->let_go();
  }
  if (!is_usable) {
    // The host frees it as soon as this returns: nobody may be about to interrupt it. That call never blocks.
    for (;;) {
      {
        std::lock_guard lock(mutex_);
        if (environment.pins == 0) return;
      }
      std::this_thread::yield();
    }
  }
}

void EnvironmentPool::watch_init(const Shared& environment, Nanos deadline) {
  // The timer outlives most of what it watches: it keeps neither the pool nor the version.
  services_->loop->post(
      [services = services_, pool = weak_from_this(), watched = std::weak_ptr(environment), deadline] {
        services->loop->schedule(deadline, [pool, watched] {
          const auto self = pool.lock();
          if (const Shared still = watched.lock(); self != nullptr && still != nullptr)
            self->init_timed_out(still);
        });
      });
}

void EnvironmentPool::init_timed_out(const Shared& environment) {
  const Nanos now = services_->clock->now();
  Invocation* victim = nullptr;
  bool reopen = false;
  {
    std::lock_guard lock(mutex_);
    if (environment->state() != EnvironmentState::kOpening) return;
    --opening_;
    start_interrupting(*environment, now);
    if (pending_ > available()) {
      victim = first_pending_;
      remove_pending(*victim);
    }
    reopen = must_reopen() && want_replacement();
  }
  if (reopen) request_open(1);
  if (victim != nullptr) {
    if (victim->claim(victim->token())) answer_init_timeout(*services_, *victim, now);
    victim->let_go();
  }
  interrupt_pinned(environment, 0);
}

bool EnvironmentPool::want_replacement() {
  if (services_->closing.load(std::memory_order_relaxed) || available() > 0) return false;
  // What still waits for a version that is gone was to be served by environments that idled then, or by the one that has ended.
  if (retired_ && pending_ == 0) return false;
  ++opening_;
  return true;
}

void EnvironmentPool::set_keep_warm(int environments) {
  services_->warm_pools.fetch_add((environments > 0 ? 1 : 0) - (keep_warm_ > 0 ? 1 : 0));
  keep_warm_ = environments;
}

void EnvironmentPool::keep_warm(int environments) {
  int missing = 0;
  {
    std::lock_guard lock(mutex_);
    if (retired_ || services_->closing.load(std::memory_order_relaxed)) return;
    set_keep_warm(environments);
    missing = std::max(0, keep_warm_ - static_cast<int>(usable()));
    opening_ += missing;
  }
  // The loop may sleep without end while nothing is open.
  if (environments > 0) services_->loop->wake_by(services_->clock->now());
  request_open(missing);
}

}  // namespace lambed::invocation
