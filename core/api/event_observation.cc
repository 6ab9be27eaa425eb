// What operators ask about asynchronous invocations: one of them, and the numbers of all.
#include <fmt/format.h>

#include <iterator>
#include <map>

#include "api/handling.h"
#include "model/reference.h"

namespace lambed::api {

void Api::tell_event(const std::shared_ptr<Handling>& handling, const std::string& request_id) {
  handling->scope = &scope(handling->call.caller.account, handling->call.caller.region);
  handling->scope->core->events().status(request_id, [this, handling](Result<EventStatus> status) {
    if (!status.ok()) return answer(handling, Fault(status.error()));
    const auto ms = [](std::chrono::system_clock::time_point time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    };
    nlohmann::json body = {{"requestId", status->request_id},
                           {"functionArn", status->function_arn},
                           {"state", name_of(status->state)},
                           {"attempts", status->attempts},
                           {"acceptedMs", ms(status->accepted)}};
    if (status->ended) {
      body["endedMs"] = ms(*status->ended);
      body["condition"] = status->condition;
      body["functionError"] = status->function_error;
    }
    http::Response response;
    response.with("Content-Type", "application/json");
    response.body = body.dump() + "\n";
    answer(handling, std::move(response));
  });
}

void Api::append_event_metrics(std::string& out) {
  EventCounts total;
  std::map<std::string, events::Journal::OfFunction> events_of;  // by ARN
  {
    std::lock_guard lock(scopes_mutex_);
    for (const auto& [key, scope] : scopes_) {
      const EventCounts counts = scope->core->events().counts();
      total.succeeded += counts.succeeded;
      total.retries += counts.retries;
      total.destination_delivery_failures += counts.destination_delivery_failures;
      total.dead_letter_errors += counts.dead_letter_errors;
      // One queue on disk for all, or one in memory for each.
      total.waiting = options_.storage.events != nullptr ? counts.waiting : total.waiting + counts.waiting;
      for (const auto& [name, of] : scope->core->events().counts_by_function())
        events_of.emplace(model::function_arn({scope->region, scope->account}, name), of);
    }
  }
  const auto to = std::back_inserter(out);
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    fmt::format_to(to, "# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
  };
  const auto by_function = [&](const char* name, const char* help, auto value) {
    fmt::format_to(to, "# HELP {0} {1}\n# TYPE {0} counter\n", name, help);
    for (const auto& [arn, of] : events_of)
      fmt::format_to(to, "{}{{function={}}} {}\n", name, label(arn), value(of));
  };
  using OfFunction = events::Journal::OfFunction;
  by_function("lambed_async_events_received_total", "Events that were accepted (AsyncEventsReceived).",
              [](const OfFunction& of) { return of.received; });
  by_function("lambed_async_events_dropped_total", "Events that ended without success (AsyncEventsDropped).",
              [](const OfFunction& of) { return of.dropped; });
  by_function("lambed_async_event_age_seconds_sum", "Time from acceptance to an attempt (AsyncEventAge).",
              [](const OfFunction& of) { return of.age_sum_s; });
  by_function("lambed_async_event_age_seconds_count", "Attempts of events.",
              [](const OfFunction& of) { return of.age_count; });
  one("lambed_async_events_succeeded_total", "counter", "Events that ended with success.", total.succeeded);
  one("lambed_async_retries_total", "counter", "Attempts that failed and will be followed by another.",
      total.retries);
  one("lambed_async_events_waiting", "gauge", "Events and deliveries that are not over, about.",
      total.waiting);
  one("lambed_destination_delivery_failures_total", "counter",
      "Records that were given up (DestinationDeliveryFailures).", total.destination_delivery_failures);
  one("lambed_dead_letter_errors_total", "counter", "Dead letters that were given up (DeadLetterErrors).",
      total.dead_letter_errors);
}

}  // namespace lambed::api
