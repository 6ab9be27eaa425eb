#include "environment.h"

#include <chrono>
#include <mutex>
#include <thread>

namespace scripted {

void open_gate(const std::string& name) {
  world().gate(name).open.store(true);
  world().announce_change();
}

void close_gate(const std::string& name) { world().gate(name).open.store(false); }

bool is_gate_open(const std::string& name) { return world().gate(name).open.load(); }

long waiting_at(const std::string& name) {
  return world().gate(name).waiting.load() + world().seated_at(World::key_of(name));
}

Environment::Environment(const lambed_environment_options& options)
    : user_(options.user),
      function_name_(view(options.function_name)),
      function_version_(view(options.function_version)),
      function_id_(view(options.function_id)),
      code_id_(view(options.code_id)),
      runtime_(view(options.runtime)),
      handler_(view(options.handler)),
      task_root_(view(options.task_root)),
      log_group_(view(options.log_group)),
      log_stream_(view(options.log_stream)),
      memory_limit_(options.memory_limit),
      serial_(++world().opened()) {
  for (std::size_t i = 0; i < options.layer_count; ++i) layers_.emplace_back(view(options.layers[i]));
  for (std::size_t i = 0; i < options.variable_count; ++i) {
    variables_.emplace_back(view(options.variables[i].name), view(options.variables[i].value));
  }
}

void Environment::start() {
  // The init can be interrupted from the moment `open` has returned, even if the thread has not run yet.
  running_.store(0);
  ++world().environments;
  ++world().threads;
  std::thread([this] {
    seat_ = world().take_seat();
    run();
    World::leave(seat_);
    --world().environments;
    void* const user = user_;
    // Calls of interrupt and usage are allowed until `closed` has returned, so the object lives as long.
    world().core->closed(user);
    delete this;
    --world().threads;
  }).detach();
}

lambed_interrupt Environment::interrupt(std::uint64_t token) {
  ++world().interrupts;
  {
    const std::lock_guard lock(mutex_);
    if (running_ != token) return LAMBED_INTERRUPT_STOPPED;
    interrupted_.store(token);
  }
  world().announce_change();
  return says_meanwhile_.load();
}

void Environment::usage(lambed_usage* usage) const {
  usage->memory = memory_peak_.load();
  usage->memory_peak = memory_peak_.load();
  usage->cpu_ns = 0;
}

void Environment::run() {
  const lambed_core& core = *world().core;
  if (!open()) return;
  while (!abandoned_.load()) {
    lambed_invocation invocation{};
    invocation.size = sizeof invocation;
    switch (core.take(user_, &invocation)) {
      case LAMBED_TAKE_INVOCATION:
        invoke(invocation);
        break;
      case LAMBED_TAKE_NOTHING:
        rest(true);
        core.wait(user_);
        rest(false);
        break;
      case LAMBED_TAKE_CLOSE:
        return;
    }
  }
}

void Environment::rest(bool rests) {
  if (seat_ == nullptr) {
    world().resting += rests ? 1 : -1;
  } else {
    seat_->rests.store(rests);
  }
}

bool Environment::open() {
  static constexpr std::string_view kPrefix = "init-";
  Answer answer;
  for (Step next : parse_script(handler_)) {
    if (next.verb.substr(0, kPrefix.size()) != kPrefix) continue;
    next.verb.remove_prefix(kPrefix.size());
    if (!step(next, nullptr, answer)) {
      answer = {LAMBED_OUTCOME_INTERRUPTED, 0, 0, 0, {}, {}};
      break;
    }
    if (answer.kind != LAMBED_OUTCOME_SUCCESS) break;
  }
  running_.store(kNothingRuns);
  const lambed_outcome outcome = outcome_of(answer);
  world().core->opened(user_, &outcome);
  return answer.kind == LAMBED_OUTCOME_SUCCESS;
}

void Environment::invoke(const lambed_invocation& invocation) {
  const lambed_core& core = *world().core;
  ++world().invocations();
  ++served_;
  running_.store(invocation.token);
  const std::string_view event = view(invocation.event);
  const std::string_view of_event = script_of_event(event);
  bool twice = false;
  bool elsewhere = false;
  bool stranger = false;
  std::string_view tarries_at;  // within the event, or the handler
  Answer answer;
  answer.payload = event;
  for (const Step& next : parse_script(of_event.empty() ? std::string_view(handler_) : of_event)) {
    if (next.verb == "twice") twice = true;
    if (next.verb == "elsewhere") elsewhere = true;
    if (next.verb == "stranger") stranger = true;
    if (next.verb == "tarry") tarries_at = next.argument;
    if (!step(next, &invocation, answer)) {
      answer = {LAMBED_OUTCOME_INTERRUPTED, 0, 0, 0, {}, {}};
      break;
    }
  }
  {
    const std::lock_guard lock(mutex_);  // orders this with an interrupt that is just being asked for
    running_.store(kNothingRuns);
  }
  const lambed_outcome outcome = outcome_of(answer);
  const std::uint64_t token = invocation.token;
  if (stranger) core.complete(user_, token + 1'000'000'007, &outcome);
  if (elsewhere) {
    std::thread([&] { core.complete(user_, token, &outcome); }).join();
  } else {
    core.complete(user_, token, &outcome);
  }
  if (twice) core.complete(user_, token, &outcome);
  if (!tarries_at.empty()) pass_gate(tarries_at, false);
}

lambed_outcome Environment::outcome_of(const Answer& answer) const {
  lambed_outcome outcome{};
  outcome.size = sizeof outcome;
  outcome.kind = answer.kind;
  outcome.flags = answer.flags;
  outcome.exit_code = answer.exit_code;
  outcome.term_signal = answer.term_signal;
  outcome.payload = slice(answer.payload);
  outcome.error_type = slice(answer.error_type);
  outcome.memory_peak = memory_peak_.load();
  return outcome;
}

bool Environment::pass_time(long milliseconds, bool heeds_interrupts) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  for (;;) {
    const std::uint32_t seen = world().changes();
    if (heeds_interrupts && is_interrupted()) return false;
    const auto left = std::chrono::nanoseconds(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return true;
    world().await_change(seen, left);
  }
}

bool Environment::pass_gate(std::string_view name, bool heeds_interrupts) {
  Gate& gate = world().gate(name);
  if (seat_ == nullptr) {
    ++gate.waiting;
  } else {
    seat_->waits_at.store(World::key_of(name));
  }
  bool is_stopped = false;
  for (;;) {
    const std::uint32_t seen = world().changes();
    is_stopped = heeds_interrupts && is_interrupted();
    if (is_stopped || gate.open.load()) break;
    world().await_change(seen, -1);
  }
  if (seat_ == nullptr) {
    --gate.waiting;
  } else {
    seat_->waits_at.store(0);
  }
  return !is_stopped;
}

}  // namespace scripted
