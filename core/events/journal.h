// What is known of a gateway's events beside the queue: those that run, those that are over, and the counts.
// Threads: any.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "lambed/events.h"

namespace lambed::events {

class Journal {
 public:
  static constexpr std::size_t kMostKept = 10'000;
  static constexpr Nanos kKeptFor = to_nanos(std::chrono::hours(1));

  // Of one function, for metrics.
  struct OfFunction {
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
    std::uint64_t age_count = 0;
    double age_sum_s = 0;
  };

  void received(const std::string& function);
  void begun(EventStatus status, const std::string& function, double age_s);
  // The attempt has ended, the event waits for another.
  void set_back(const std::string& request_id);
  // The attempt has failed, another one will follow; it is Retrying until set_back, when the queue knows.
  void retried(const std::string& request_id);
  void over(const EventOutcome& outcome, const std::string& function, Nanos now);
  void delivery_failed(bool is_dead_letter);

  // Of an event that runs or is over.
  std::optional<EventStatus> find(const std::string& request_id, Nanos now);
  EventCounts counts() const;  // all but `waiting`
  std::map<std::string, OfFunction> by_function() const;

 private:
  struct Ended {
    EventStatus status;
    Nanos at;
  };
  void forget_old(Nanos now);  // with mutex_ held

  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, EventStatus> running_;
  std::unordered_map<std::string, Ended> ended_;
  std::deque<std::pair<Nanos, std::string>> order_;  // of ended_, oldest first
  std::map<std::string, OfFunction> functions_;
  EventCounts counts_;
};

}  // namespace lambed::events
