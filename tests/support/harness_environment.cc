// One execution environment of the host under test.
#include <stdexcept>

#include "support/harness_records.h"

namespace lambed::testing {

std::optional<Outcome> HarnessEnvironment::wait_opened(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  record_->wait_for(lock, timeout, [this] { return record_->opened.has_value(); });
  return record_->opened;
}

const HarnessEnvironment& HarnessEnvironment::expect_opened() const {
  const std::optional<Outcome> outcome = wait_opened();
  if (!outcome) throw std::runtime_error("the environment did not open in time");
  if (!outcome->succeeded()) {
    throw std::runtime_error("init failed, kind " + std::to_string(outcome->kind) + ": " + outcome->payload);
  }
  return *this;
}

std::uint64_t HarnessEnvironment::submit(const InvocationSpec& invocation) const {
  std::uint64_t token = 0;
  {
    std::lock_guard lock(harness_process().mutex);
    token = harness_process().next_token++;
  }
  std::lock_guard lock(record_->mutex);
  record_->queue.push_back({token, invocation});
  record_->changed.notify_all();
  return token;
}

std::uint64_t HarnessEnvironment::submit(const std::string& event) const {
  InvocationSpec invocation;
  invocation.event = event;
  return submit(invocation);
}

bool HarnessEnvironment::wait_taken(std::uint64_t token, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this, token] { return record_->running.count(token) != 0; });
}

std::optional<Outcome> HarnessEnvironment::wait_outcome(std::uint64_t token,
                                                        std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  const bool answered =
      record_->wait_for(lock, timeout, [this, token] { return record_->answers.count(token) != 0; });
  if (!answered) return std::nullopt;
  return record_->answers.at(token).outcome;
}

int HarnessEnvironment::completions(std::uint64_t token) const {
  std::lock_guard lock(record_->mutex);
  const auto found = record_->answers.find(token);
  return found == record_->answers.end() ? 0 : found->second.completions;
}

Outcome HarnessEnvironment::invoke(const InvocationSpec& invocation) const {
  std::optional<Outcome> outcome = wait_outcome(submit(invocation));
  if (!outcome) throw std::runtime_error("no answer in time to " + invocation.event.substr(0, 200));
  return std::move(*outcome);
}

Outcome HarnessEnvironment::invoke(const std::string& event) const {
  InvocationSpec invocation;
  invocation.event = event;
  return invoke(invocation);
}

double HarnessEnvironment::mean_ns(const std::string& event, std::uint64_t count) const {
  std::unique_lock lock(record_->mutex);
  record_->repeated.token = kRepeatToken;
  record_->repeated.spec.event = event;
  record_->repeats_left = count;
  record_->repeats_done = record_->repeats_failed = 0;
  record_->repeat_began = record_->repeat_ended = 0;
  record_->changed.notify_all();
  if (!record_->wait_for(lock, 10 * kPatience, [this, count] { return record_->repeats_done == count; })) {
    throw std::runtime_error("the repeated invocations did not end in time");
  }
  if (record_->repeats_failed > 0)
    throw std::runtime_error("a repeated invocation failed: " + record_->repeat_failure);
  return static_cast<double>(record_->repeat_ended - record_->repeat_began) / static_cast<double>(count);
}

lambed_interrupt HarnessEnvironment::interrupt(std::uint64_t token) const {
  std::lock_guard alive(record_->lifetime);
  if (record_->environment == nullptr) return LAMBED_INTERRUPT_STOPPED;
  return record_->api->interrupt(record_->environment, token);
}

std::optional<Outcome> HarnessEnvironment::interrupt_until_answered(std::uint64_t token,
                                                                    std::chrono::milliseconds timeout) const {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < end) {
    interrupt(token);
    const auto step = std::chrono::milliseconds(50);
    if (std::optional<Outcome> outcome = token == 0 ? wait_opened(step) : wait_outcome(token, step))
      return outcome;
  }
  return std::nullopt;
}

void HarnessEnvironment::abandon() const {
  std::lock_guard alive(record_->lifetime);
  if (record_->environment == nullptr) return;
  {
    std::lock_guard lock(record_->mutex);
    record_->abandoned = true;
  }
  record_->api->abandon(record_->environment);
  record_->changed.notify_all();
}

lambed_usage HarnessEnvironment::usage() const {
  lambed_usage usage{};
  usage.size = sizeof usage;
  std::lock_guard alive(record_->lifetime);
  if (record_->environment != nullptr) record_->api->usage(record_->environment, &usage);
  return usage;
}

void HarnessEnvironment::request_close() const {
  std::lock_guard lock(record_->mutex);
  record_->closing = true;
  record_->changed.notify_all();
}

bool HarnessEnvironment::wait_closed(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this] { return record_->closed; });
}

void HarnessEnvironment::close() const {
  request_close();
  if (!wait_closed()) throw std::runtime_error("the environment did not close in time");
}

std::string HarnessEnvironment::log(lambed_stream stream) const {
  std::lock_guard lock(record_->mutex);
  std::string joined;
  for (const LogRecord& record : record_->log) {
    if (record.stream == stream) joined += record.bytes;
  }
  return joined;
}

std::string HarnessEnvironment::log() const {
  std::lock_guard lock(record_->mutex);
  std::string joined;
  for (const LogRecord& record : record_->log) joined += record.bytes;
  return joined;
}

std::vector<LogRecord> HarnessEnvironment::log_records() const {
  std::lock_guard lock(record_->mutex);
  return record_->log;
}

bool HarnessEnvironment::wait_log(const std::string& text, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this, &text] {
    std::string joined;
    for (const LogRecord& record : record_->log) joined += record.bytes;
    return joined.find(text) != std::string::npos;
  });
}

std::vector<std::string> HarnessEnvironment::notices() const {
  std::lock_guard lock(record_->mutex);
  return record_->notices;
}

}  // namespace lambed::testing
