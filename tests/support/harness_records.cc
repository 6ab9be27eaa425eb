#include "support/harness_records.h"

#include <time.h>

namespace lambed::testing {
namespace {

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string text_of(lambed_slice bytes) {
  return bytes.size == 0 ? std::string() : std::string(bytes.data, bytes.size);
}

Outcome outcome_of(const lambed_outcome& raw) {
  Outcome outcome;
  outcome.kind = static_cast<lambed_outcome_kind>(raw.kind);
  outcome.flags = raw.flags;
  outcome.exit_code = raw.exit_code;
  outcome.term_signal = raw.term_signal;
  outcome.payload = text_of(raw.payload);
  outcome.error_type = text_of(raw.error_type);
  outcome.memory_peak = raw.memory_peak;
  return outcome;
}

EnvironmentRecord& record_of(void* user) { return *static_cast<EnvironmentRecord*>(user); }

void core_opened(void* user, const lambed_outcome* outcome) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (!record.opened) record.opened = outcome_of(*outcome);
  record.changed.notify_all();
}

void lend(const HarnessWork& work, lambed_invocation* invocation) {
  const auto timeout_ns = std::chrono::nanoseconds(work.spec.timeout).count();
  invocation->token = work.token;
  invocation->event = slice(work.spec.event);
  invocation->request_id = slice(work.spec.request_id);
  invocation->invoked_function_arn = slice(work.spec.invoked_function_arn);
  invocation->function_version = slice(work.spec.function_version);
  invocation->client_context = slice(work.spec.client_context);
  invocation->cognito_identity = slice(work.spec.cognito_identity);
  invocation->trace_id = slice(work.spec.trace_id);
  invocation->tenant_id = slice(work.spec.tenant_id);
  invocation->deadline = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
  invocation->deadline_epoch_ms = (clock_ns(CLOCK_REALTIME) + timeout_ns) / 1'000'000;
}

lambed_take core_take(void* user, lambed_invocation* invocation) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (record.repeats_left > 0) {
    if (record.repeat_began == 0) record.repeat_began = clock_ns(CLOCK_MONOTONIC);
    --record.repeats_left;
    lend(record.repeated, invocation);
    return LAMBED_TAKE_INVOCATION;
  }
  if (!record.queue.empty()) {
    HarnessWork work = std::move(record.queue.front());
    record.queue.pop_front();
    const std::uint64_t token = work.token;
    lend(record.running.emplace(token, std::move(work)).first->second, invocation);
    record.changed.notify_all();
    return LAMBED_TAKE_INVOCATION;
  }
  return record.closing || record.abandoned ? LAMBED_TAKE_CLOSE : LAMBED_TAKE_NOTHING;
}

void core_wait(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::unique_lock lock(record.mutex);
  record.changed.wait(lock, [&record] {
    return record.nudged || record.closing || record.abandoned || record.repeats_left > 0 ||
           !record.queue.empty();
  });
  record.nudged = false;
}

void core_nudge(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  record.nudged = true;
  record.changed.notify_all();
}

void core_complete(void* user, std::uint64_t token, const lambed_outcome* outcome) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (token == kRepeatToken) {
    if (outcome->kind != LAMBED_OUTCOME_SUCCESS && record.repeats_failed++ == 0) {
      record.repeat_failure = text_of(outcome->payload);
    }
    ++record.repeats_done;
    if (record.repeats_left == 0) {
      record.repeat_ended = clock_ns(CLOCK_MONOTONIC);
      record.changed.notify_all();
    }
    return;
  }
  HarnessAnswer& answer = record.answers[token];
  if (answer.completions++ == 0) answer.outcome = outcome_of(*outcome);
  record.changed.notify_all();
}

void core_log(void* user, lambed_stream stream, lambed_slice bytes, std::int64_t realtime_us) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  record.log.push_back({stream, text_of(bytes), realtime_us});
  record.changed.notify_all();
}

void core_closed(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard alive(record.lifetime);
  record.environment = nullptr;
  std::lock_guard lock(record.mutex);
  record.closed = true;
  record.changed.notify_all();
}

void core_notice(void* user, lambed_slice message) {
  if (user != nullptr) {
    EnvironmentRecord& record = record_of(user);
    std::lock_guard lock(record.mutex);
    record.notices.push_back(text_of(message));
  }
  HarnessProcess& whole = harness_process();
  std::lock_guard lock(whole.mutex);
  whole.notices.push_back(text_of(message));
  whole.changed.notify_all();
}

std::int64_t core_monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

const lambed_core kCore = {
    sizeof(lambed_core), LAMBED_HOST_ABI, core_opened, core_take,   core_wait,   core_nudge,
    core_complete,       core_log,        nullptr,     core_closed, core_notice, core_monotonic_ns,
};

}  // namespace

HarnessProcess& harness_process() {
  static HarnessProcess* const instance = new HarnessProcess;
  return *instance;
}

const lambed_core& harness_core() { return kCore; }

}  // namespace lambed::testing
