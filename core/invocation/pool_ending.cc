// How a pool interrupts, gives up and closes its environments.
#include <algorithm>
#include <utility>

#include "invocation/answers.h"
#include "invocation/pool.h"

namespace lambed::invocation {

using environments::EnvironmentState;

namespace {

// Between two steps of interrupting the same environment: each may use a stronger means.
constexpr Nanos kEscalationStep = to_nanos(std::chrono::milliseconds(100));
// How much longer than interrupt_grace an environment is waited for that has had no chance to stop, for want of its
// interpreter's lock.
constexpr int kMostPatience = 5;

}  // namespace

// ---- Interrupting.

void EnvironmentPool::start_interrupting(Environment& environment, Nanos now) {
  environment.move_to(EnvironmentState::kInterrupting);
  environment.interrupted_at = now;
  environment.waited_last = 0;
  ++environment.pins;
}

void EnvironmentPool::interrupt_pinned(const Shared& environment, std::uint64_t token) {
  bool replace = false;
  if (token != 0) {  // an init that hung once would hang again, without anyone asking for it
    std::lock_guard lock(mutex_);
    replace = want_replacement();
  }
  press(environment, token);
  escalate_later(environment, token);
  if (replace) request_open(1);
}

// One call of the host's interrupt; the caller's pin ends here.
void EnvironmentPool::press(const Shared& environment, std::uint64_t token) {
  bool ready = false;
  {
    std::lock_guard lock(mutex_);
    ready = environment->handle_ready;
  }
  const lambed_interrupt said = ready ? environment->interrupt(token) : LAMBED_INTERRUPT_PENDING;
  if (said == LAMBED_INTERRUPT_WAITING) {
    std::lock_guard lock(mutex_);
    environment->waited_last = services_->clock->now();
  }
  unpin(environment);
  if (said == LAMBED_INTERRUPT_UNSUPPORTED) abandon(environment);
}

void EnvironmentPool::escalate_later(const Shared& environment, std::uint64_t token) {
  const auto step = [self = shared_from_this(), weak = std::weak_ptr(environment), token] {
    const Shared still = weak.lock();
    if (!still) return;
    bool give_up = false;
    {
      std::lock_guard lock(self->mutex_);
      if (still->state() != EnvironmentState::kInterrupting) return;
      give_up = self->has_had_its_grace(*still, self->services_->clock->now());
      if (!give_up) ++still->pins;
    }
    if (give_up) {
      self->abandon(still);
    } else {
      self->press(still, token);
      self->escalate_later(still, token);
    }
  };
  const Nanos at =
      services_->clock->now() + std::min(kEscalationStep, to_nanos(services_->options.interrupt_grace));
  if (services_->loop->on_loop_thread()) {
    services_->loop->schedule(at, step);
  } else {
    services_->loop->post([services = services_, at, step] { services->loop->schedule(at, step); });
  }
}

bool EnvironmentPool::has_had_its_grace(const Environment& environment, Nanos now) const {
  const Nanos grace = to_nanos(services_->options.interrupt_grace);
  if (now - environment.interrupted_at >= kMostPatience * grace) return true;
  return now - std::max(environment.interrupted_at, environment.waited_last) >= grace;
}

void EnvironmentPool::unpin(const Shared& environment) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    wake = --environment->pins == 0 && environment->is_ending();
  }
  if (wake) environment->parker().unpark();
}

// Gives up an environment that does not stop, or does not finish freeing itself.
void EnvironmentPool::abandon(const Shared& environment) {
  bool tell_host = false;
  {
    std::lock_guard lock(mutex_);
    const EnvironmentState state = environment->state();
    if (state != EnvironmentState::kInterrupting && state != EnvironmentState::kClosing) return;
    // One that closes may have freed the host's side already.
    tell_host = state == EnvironmentState::kInterrupting && environment->handle_ready;
    environment->move_to(EnvironmentState::kAbandoned);
    ++environment->pins;
  }
  services_->environments.abandoned(environment->host());
  if (tell_host) environment->abandon();
  unpin(environment);
}

// ---- Closing.

void EnvironmentPool::leave_idle(Environment& environment) {
  idle_.erase(std::find(idle_.begin(), idle_.end(), &environment));
}

void EnvironmentPool::closed(Environment& environment) {
  const auto self = shared_from_this();
  Shared last;
  bool was_abandoned = false;
  int missing = 0;
  {
    std::lock_guard lock(mutex_);
    const auto it = std::find_if(environments_.begin(), environments_.end(),
                                 [&environment](const Shared& e) { return e.get() == &environment; });
    last = std::move(*it);
    environments_.erase(it);
    was_abandoned = environment.state() == EnvironmentState::kAbandoned;
    if (environment.state() != EnvironmentState::kClosing) environment.move_to(EnvironmentState::kClosing);
    environment.move_to(EnvironmentState::kClosed);
    if (!retired_ && !services_->closing.load(std::memory_order_relaxed) &&
        services_->clock->now() >= warm_again_) {
      missing = std::max(0, keep_warm_ - static_cast<int>(usable()));
      opening_ += missing;
    }
  }
  if (was_abandoned) services_->environments.came_back(environment.host());
  services_->environments.closed();
  request_open(missing);
}

void EnvironmentPool::lost(Environment& environment) {
  Shared called;
  bool open = false;
  {
    std::lock_guard lock(mutex_);
    switch (environment.state()) {
      case EnvironmentState::kIdle:
        leave_idle(environment);
        break;
      case EnvironmentState::kWoken:
        --woken_;
        break;
      case EnvironmentState::kFinishing:
        --finishing_;
        break;
      default:
        return;
    }
    environment.move_to(EnvironmentState::kClosing);
    // It may have been called for work that is there.
    called = call_idle_one();
    open = pending_ > available() && !is_full() && !services_->closing.load(std::memory_order_relaxed);
    if (open) ++opening_;
  }
  if (called) called->parker().unpark();
  if (open) request_open(1);
}

bool EnvironmentPool::give_back(Environment& environment, std::uint64_t token) {
  Shared called;
  bool open = false;
  {
    std::lock_guard lock(mutex_);
    if (environment.token != token || environment.state() != EnvironmentState::kBusy ||
        services_->closing.load(std::memory_order_relaxed)) {
      return false;
    }
    auto* invocation = static_cast<Invocation*>(environment.invocation);
    environment.token = 0;
    environment.invocation = nullptr;
    invocation->environment = nullptr;
    invocation->init_duration.reset();
    --busy_;
    environment.move_to(EnvironmentState::kClosing);
    push_pending_first(*invocation);
    called = call_idle_one();
    if (pending_ > available() && !is_full()) {
      ++opening_;
      open = true;
    }
    Nanos deadline = invocation->started + to_nanos(std::chrono::seconds(version_->configuration.timeout_s));
    if (opening_ > 0) deadline += to_nanos(services_->options.quotas.init_timeout);
    services_->arm(*invocation, deadline);
  }
  if (called) called->parker().unpark();
  if (open) request_open(1);
  return true;
}

bool EnvironmentPool::retire() {
  std::vector<Shared> idle;
  bool is_news = false;
  {
    std::lock_guard lock(mutex_);
    is_news = !std::exchange(retired_, true);
    set_keep_warm(0);
    for (Environment* environment : std::exchange(idle_, {})) {
      environment->move_to(EnvironmentState::kClosing);
      idle.push_back(shared(*environment));
    }
  }
  for (const Shared& environment : idle) environment->parker().unpark();
  return is_news;
}

Nanos EnvironmentPool::expire_finishing(Nanos now, Nanos expiry) {
  Nanos next = kNever;
  for (const Shared& environment : environments_) {
    if (environment->state() != EnvironmentState::kFinishing) continue;
    if (usable() <= static_cast<std::size_t>(keep_warm_)) break;
    if (environment->idle_since + expiry > now) {
      next = std::min(next, environment->idle_since + expiry);
    } else {
      --finishing_;
      environment->move_to(EnvironmentState::kClosing);
    }
  }
  return next;
}

Nanos EnvironmentPool::sweep(Nanos now) {
  const Nanos expiry = to_nanos(services_->options.idle_expiry);
  std::vector<Shared> expired;
  int missing = 0;
  Nanos next = kNever;
  {
    std::lock_guard lock(mutex_);
    // What has lived its time closes whether or not some are to be kept: those are opened anew below.
    for (auto it = idle_.begin(); it != idle_.end();) {
      if (has_lived_its_time(**it, now)) {
        (*it)->move_to(EnvironmentState::kClosing);
        expired.push_back(shared(**it));
        it = idle_.erase(it);
      } else {
        ++it;
      }
    }
    while (!idle_.empty() && usable() > static_cast<std::size_t>(keep_warm_)) {
      const auto oldest = idle_.begin();
      if ((*oldest)->idle_since + expiry > now) {
        next = (*oldest)->idle_since + expiry;
        break;
      }
      (*oldest)->move_to(EnvironmentState::kClosing);
      expired.push_back(shared(**oldest));
      idle_.erase(oldest);
    }
    // One that has just answered is not in line yet, and its idle time runs already, however late its thread comes. Calls that
    // wait count on it.
    if (finishing_ > 0 && pending_ == 0) next = std::min(next, expire_finishing(now, expiry));
    if (next == kNever && usable() > static_cast<std::size_t>(keep_warm_)) next = now + expiry;
    if (!retired_ && !services_->closing.load(std::memory_order_relaxed)) {
      missing = std::max(0, keep_warm_ - static_cast<int>(usable()));
      if (missing > 0 && now < warm_again_) {
        next = std::min(next, warm_again_);
        missing = 0;
      }
      opening_ += missing;
    }
  }
  for (const Shared& environment : expired) environment->parker().unpark();
  request_open(missing);
  return next;
}

Nanos EnvironmentPool::longest_idle() const {
  std::lock_guard lock(mutex_);
  if (idle_.empty() || usable() <= static_cast<std::size_t>(keep_warm_)) return kNever;
  return idle_.front()->idle_since;
}

void EnvironmentPool::close_longest_idle() {
  Shared victim;
  {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) return;
    const auto oldest = idle_.begin();
    (*oldest)->move_to(EnvironmentState::kClosing);
    victim = shared(**oldest);
    idle_.erase(oldest);
  }
  victim->parker().unpark();
}

void EnvironmentPool::shut_down(Nanos now) {
  std::vector<std::pair<Invocation*, std::uint64_t>> in_flight;
  std::vector<Shared> opening;
  {
    std::lock_guard lock(mutex_);
    set_keep_warm(0);
    for (Invocation* i = first_pending_; i != nullptr; i = i->next_pending)
      in_flight.emplace_back(i, i->token());
    for (const Shared& environment : environments_) {
      if (environment->state() == EnvironmentState::kBusy) {
        in_flight.emplace_back(static_cast<Invocation*>(environment->invocation), environment->token);
      } else if (environment->state() == EnvironmentState::kOpening) {
        --opening_;
        start_interrupting(*environment, now);
        opening.push_back(environment);
      }
    }
  }
  for (const auto& [invocation, token] : in_flight) {
    if (!invocation->claim(token)) continue;  // answered in this moment
    const Shared running = withdraw(*invocation, token, now);
    if (running) running->log().end({});
    answer_error(*services_, *invocation,
                 Error(ErrorCode::GatewayClosed, "The gateway was closed before the function had answered."));
    if (running) press(running, token);
  }
  for (const Shared& environment : opening) press(environment, 0);
  retire();
}

void EnvironmentPool::press_on(bool give_up) {
  std::vector<std::pair<Shared, std::uint64_t>> running;
  {
    std::lock_guard lock(mutex_);
    for (const Shared& environment : environments_) {
      const EnvironmentState state = environment->state();
      if (state != EnvironmentState::kInterrupting && !(give_up && state == EnvironmentState::kClosing))
        continue;
      if (!give_up) ++environment->pins;
      running.emplace_back(environment, environment->token);
    }
  }
  for (const auto& [environment, token] : running) give_up ? abandon(environment) : press(environment, token);
}

bool EnvironmentPool::is_over() const {
  std::lock_guard lock(mutex_);
  return retired_ && environments_.empty() && pending_ == 0 && opening_ == 0;
}

PoolStatus EnvironmentPool::status() const {
  std::lock_guard lock(mutex_);
  PoolStatus s;
  s.pending = static_cast<int>(pending_);
  s.opening = opening_;
  s.init_fails = warm_pause_ != 0;
  for (const Shared& environment : environments_) {
    switch (environment->state()) {
      case EnvironmentState::kIdle:
      case EnvironmentState::kFinishing:
      case EnvironmentState::kWoken:
        ++s.idle;
        break;
      case EnvironmentState::kBusy:
        ++s.busy;
        break;
      case EnvironmentState::kInterrupting:
        ++s.interrupting;
        break;
      case EnvironmentState::kAbandoned:
        ++s.abandoned;
        break;
      default:
        break;
    }
  }
  return s;
}

}  // namespace lambed::invocation
