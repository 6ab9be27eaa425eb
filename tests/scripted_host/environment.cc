#include "environment.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace scripted {
namespace {

// Guards the gates; its condition also wakes sleepers that were interrupted.
struct Gates {
  struct Gate {
    bool open = false;
    long waiting = 0;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Gate, std::less<>> by_name;
};

Gates& gates() {
  static Gates* const the_gates = new Gates;  // never destroyed: see World
  return *the_gates;
}

}  // namespace

World& world() {
  static World* const the_world = new World;
  return *the_world;
}

void open_gate(const std::string& name) {
  const std::lock_guard lock(gates().mutex);
  gates().by_name[name].open = true;
  gates().changed.notify_all();
}

void close_gate(const std::string& name) {
  const std::lock_guard lock(gates().mutex);
  gates().by_name[name].open = false;
}

bool is_gate_open(const std::string& name) {
  const std::lock_guard lock(gates().mutex);
  return gates().by_name[name].open;
}

long waiting_at(const std::string& name) {
  const std::lock_guard lock(gates().mutex);
  return gates().by_name[name].waiting;
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
      serial_(++world().opened) {
  for (std::size_t i = 0; i < options.layer_count; ++i) layers_.emplace_back(view(options.layers[i]));
  for (std::size_t i = 0; i < options.variable_count; ++i) {
    variables_.emplace_back(view(options.variables[i].name), view(options.variables[i].value));
  }
  ++world().environments;
}

void Environment::start() {
  // The init can be interrupted from the moment `open` has returned, even if the thread has not run yet.
  running_.store(0);
  ++world().threads;
  std::thread([this] {
    run();
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
  // Under the lock, so that a sleeper that has just looked is not missed. It is never held for long.
  const std::lock_guard lock(gates().mutex);
  if (running_.load() != token) return LAMBED_INTERRUPT_STOPPED;
  interrupted_.store(token);
  gates().changed.notify_all();
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
        ++world().resting;
        core.wait(user_);
        --world().resting;
        break;
      case LAMBED_TAKE_CLOSE:
        return;
    }
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
  ++world().invocations;
  ++served_;
  running_.store(invocation.token);
  const std::string_view event = view(invocation.event);
  const std::string_view of_event = script_of_event(event);
  bool twice = false;
  bool elsewhere = false;
  bool stranger = false;
  Answer answer;
  answer.payload = event;
  for (const Step& next : parse_script(of_event.empty() ? std::string_view(handler_) : of_event)) {
    if (next.verb == "twice") twice = true;
    if (next.verb == "elsewhere") elsewhere = true;
    if (next.verb == "stranger") stranger = true;
    if (!step(next, &invocation, answer)) {
      answer = {LAMBED_OUTCOME_INTERRUPTED, 0, 0, 0, {}, {}};
      break;
    }
  }
  {
    const std::lock_guard lock(gates().mutex);  // orders this with an interrupt that is just being asked for
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
  std::unique_lock lock(gates().mutex);
  gates().changed.wait_until(lock, until, [&] { return heeds_interrupts && is_interrupted(); });
  return !(heeds_interrupts && is_interrupted());
}

bool Environment::pass_gate(std::string_view name, bool heeds_interrupts) {
  std::unique_lock lock(gates().mutex);
  Gates::Gate& gate = gates().by_name[std::string(name)];  // a map's elements stay where they are
  ++gate.waiting;
  gates().changed.wait(lock, [&] { return gate.open || (heeds_interrupts && is_interrupted()); });
  --gate.waiting;
  return !(heeds_interrupts && is_interrupted());
}

}  // namespace scripted
