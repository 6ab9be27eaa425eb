#include "events/journal.h"

#include <utility>

namespace lambed {

std::string_view name_of(EventState state) {
  switch (state) {
    case EventState::kPending:
      return "Pending";
    case EventState::kRunning:
      return "Running";
    case EventState::kRetrying:
      return "Retrying";
    case EventState::kSucceeded:
      return "Succeeded";
    case EventState::kFailed:
      return "Failed";
    case EventState::kExpired:
      return "Expired";
  }
  return "";
}

namespace events {

void Journal::received(const std::string& function) {
  std::lock_guard lock(mutex_);
  ++counts_.received;
  ++functions_[function].received;
}

void Journal::begun(EventStatus status, const std::string& function, double age_s) {
  std::lock_guard lock(mutex_);
  counts_.age_seconds_sum += age_s;
  ++counts_.age_seconds_count;
  OfFunction& of_function = functions_[function];
  of_function.age_sum_s += age_s;
  ++of_function.age_count;
  std::string id = status.request_id;
  running_.insert_or_assign(std::move(id), std::move(status));
}

void Journal::set_back(const std::string& request_id) {
  std::lock_guard lock(mutex_);
  running_.erase(request_id);
}

void Journal::retried(const std::string& request_id) {
  std::lock_guard lock(mutex_);
  if (const auto it = running_.find(request_id); it != running_.end())
    it->second.state = EventState::kRetrying;
  ++counts_.retries;
}

void Journal::forget_old(Nanos now) {
  while (!order_.empty() && (order_.size() > kMostKept || order_.front().first + kKeptFor <= now)) {
    const auto it = ended_.find(order_.front().second);
    // An id that a caller has used twice is remembered for its last time.
    if (it != ended_.end() && it->second.at == order_.front().first) ended_.erase(it);
    order_.pop_front();
  }
}

void Journal::over(const EventOutcome& outcome, const std::string& function, Nanos now) {
  EventStatus status;
  status.request_id = outcome.request_id;
  status.function_arn = outcome.function_arn;
  status.state = outcome.state;
  status.attempts = outcome.attempts;
  status.accepted = outcome.accepted;
  status.ended = outcome.ended;
  status.condition = outcome.condition;
  status.function_error = outcome.function_error;
  std::lock_guard lock(mutex_);
  running_.erase(outcome.request_id);
  if (outcome.state == EventState::kSucceeded) {
    ++counts_.succeeded;
  } else {
    ++counts_.dropped;
    ++functions_[function].dropped;
  }
  ended_.insert_or_assign(outcome.request_id, Ended{std::move(status), now});
  order_.emplace_back(now, outcome.request_id);
  forget_old(now);
}

void Journal::delivery_failed(bool is_dead_letter) {
  std::lock_guard lock(mutex_);
  ++(is_dead_letter ? counts_.dead_letter_errors : counts_.destination_delivery_failures);
}

std::optional<EventStatus> Journal::find(const std::string& request_id, Nanos now) {
  std::lock_guard lock(mutex_);
  forget_old(now);
  if (const auto it = running_.find(request_id); it != running_.end()) return it->second;
  if (const auto it = ended_.find(request_id); it != ended_.end()) return it->second.status;
  return std::nullopt;
}

EventCounts Journal::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::map<std::string, Journal::OfFunction> Journal::by_function() const {
  std::lock_guard lock(mutex_);
  return functions_;
}

}  // namespace events
}  // namespace lambed
