// Attempts: what begins one, what its end means, and what is told to whom when an event is over.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "catalog/async_policy.h"
#include "events/dispatcher.h"
#include "events/lane.h"

namespace lambed::events {
namespace {

// A delivery whose target stays away is given up after the time that AWS keeps an event at most.
constexpr Millis kDeliveryPatience = 6LL * 60 * 60 * 1000;
constexpr std::size_t kErrorMessage = 1024;

using Snapshot = std::shared_ptr<const catalog::FunctionSnapshot>;

const catalog::FunctionVersion& version_of(const catalog::FunctionSnapshot& function,
                                           const std::string& number) {
  const auto it = function.versions.find(number);
  return it == function.versions.end() ? *function.latest : *it->second;
}

// Worth another try: throttled, or an error of the system and not of the call.
bool is_passing(const Error& error) {
  return error.code() == ErrorCode::TooManyRequestsException || error.http_status() >= 500;
}

std::string error_message_of(const std::string& document) {
  const auto parsed = nlohmann::json::parse(document, nullptr, false);
  if (!parsed.is_object()) return {};
  const auto it = parsed.find("errorMessage");
  if (it == parsed.end() || !it->is_string()) return {};
  std::string text = it->get<std::string>();
  if (text.size() > kErrorMessage) {
    std::size_t end = kErrorMessage;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // no half characters
    text.resize(end);
  }
  return text;
}

Millis expiry(const Item& item, const catalog::FunctionSnapshot& function, const std::string& qualifier) {
  return item.accepted + 1000LL * catalog::async_policy_of(function, qualifier, *function.latest).max_age_s;
}

std::string shown_qualifier(const std::string& qualifier) {
  return qualifier.empty() ? std::string("$LATEST") : qualifier;
}

}  // namespace

Millis Dispatcher::expiry_of(const Lane& lane, const Item& item) const {
  if (lane.is_delivery) return item.accepted + kDeliveryPatience;
  const auto qualifier = decode_qualifier(item.body);
  const Snapshot function = directory_.find(lane.subject);
  if (!qualifier || function == nullptr) return item.accepted;  // over as soon as somebody looks
  return expiry(item, *function, *qualifier);
}

void Dispatcher::notice(const std::string& function, const std::string& words) const {
  if (sink_ == nullptr) return;
  const std::string text = words + "\n";
  sink_->write({LogKind::kNotice, function, {}, {}, {}, clock_->wall(), text});
}

// ---- Events.

Dispatcher::Begun Dispatcher::begin_event(Lane& lane, Item item) {
  auto record = decode_event(item.body);
  if (!record) {
    notice(lane.subject, fmt::format("lambed: the stored event {} cannot be read and is dropped", item.id));
    owe({{item.token, Settlement::Kind::kAck}, lane.name, item.id});
    return Begun::kOver;
  }
  const Snapshot function = directory_.find(lane.subject);
  const auto end = [&](EventState state, Condition condition, const char* name, int status,
                       std::string message) {
    over(
        lane,
        {std::move(item), std::move(*record), state, condition, name, false, {}, status, std::move(message)});
    return Begun::kOver;
  };
  if (function == nullptr) {
    return end(EventState::kFailed, Condition::kRetriesExhausted, "ResourceNotFound", 404,
               "Function not found: " + model::function_arn(options_.scope, lane.subject));
  }
  if (time_.now() >= expiry(item, *function, record->qualifier)) {
    const int status = lane.last_status != 0 ? lane.last_status : 429;
    return end(EventState::kExpired, Condition::kEventAgeExceeded, name_of(Condition::kEventAgeExceeded),
               status, status == 429 ? "Rate Exceeded." : "The function could not be run in time.");
  }
  if (function->reserved_concurrency == 0) {
    return end(EventState::kFailed, Condition::kZeroReservedConcurrency,
               name_of(Condition::kZeroReservedConcurrency), 429, "Rate Exceeded.");
  }
  const auto engine = engine_.lock();
  if (engine == nullptr) {
    put_back(lane, std::move(item));
    return Begun::kPaused;
  }
  InvokeRequest request;
  request.function = lane.subject;
  request.qualifier = record->qualifier;
  request.type = InvocationType::kEvent;
  request.payload = record->payload;
  request.client_context = record->client_context;
  request.cognito_identity = record->cognito_identity;
  request.trace_id = record->trace_id;
  request.tenant_id = record->tenant_id;
  request.request_id = item.id;

  EventStatus status;
  status.request_id = item.id;
  status.function_arn = model::function_arn(options_.scope, lane.subject, shown_qualifier(record->qualifier));
  status.state = EventState::kRunning;
  status.attempts = item.attempts + 1;
  status.accepted = EventClock::time_of(item.accepted);
  const double age_s = static_cast<double>(time_.now() - item.accepted) / 1000;
  const std::string id = item.id;

  auto running = std::make_shared<Running>();
  running->lane = lane.name;
  running->item = std::move(item);
  running->record = std::move(*record);
  const auto admitted =
      engine->attempt(std::move(request), [weak = weak_from_this(), running](InvokeResult result) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        auto its_end = std::make_shared<Ended>();
        its_end->running = running;
        its_end->result = std::move(result);
        self->ended(std::move(its_end));
      });
  if (admitted.ok()) {
    ++lane.running;
    ++running_;
    // The end of this attempt is looked at on this thread, after this.
    journal_.begun(std::move(status), lane.subject, age_s);
    return Begun::kRuns;
  }
  const Error& error = admitted.error();
  if (is_passing(error)) {
    lane.window = std::max(1, lane.running);
    lane.no_growth_until = clock_->now() + to_nanos(std::chrono::seconds(1));
    put_back(lane, std::move(running->item));
    pause(lane, error);
    return Begun::kPaused;
  }
  // The version or alias is gone, or what was accepted is not acceptable any more.
  const bool is_gone = error.code() == ErrorCode::ResourceNotFoundException;
  over(lane, {std::move(running->item),
              std::move(running->record),
              EventState::kFailed,
              Condition::kRetriesExhausted,
              is_gone ? "ResourceNotFound" : std::string(error.name()),
              false,
              {},
              error.http_status(),
              error.message()});
  return Begun::kOver;
}

void Dispatcher::pause(Lane& lane, const Error& error) {
  const bool is_first = lane.pause == 0;
  lane.last_status = error.http_status();
  pause(lane);
  const bool is_of_system =
      error.code() != ErrorCode::TooManyRequestsException && error.code() != ErrorCode::GatewayClosed;
  if (is_first && is_of_system) {
    notice(lane.subject,
           "lambed: events wait, since one could not be run and will be tried again: " + error.message());
  }
}

void Dispatcher::finish(Ended& end) {
  Lane& lane = lane_of(end.running->lane);
  --lane.running;
  --running_;
  ++lane.ended;
  for (Lane* other : std::exchange(crowded_, {})) {
    other->is_crowded = false;
    ready(*other);
  }
  if (lane.is_delivery) {
    finish_delivery(lane, *end.running, end.delivered);
  } else {
    finish_event(lane, *end.running, std::move(end.result));
  }
  ready(lane);
}

void Dispatcher::finish_event(Lane& lane, Running& running, InvokeResult result) {
  Item& item = running.item;
  if (result.error) {
    // It was admitted and has not reached a handler: the gateway closes, or there is no host.
    if (is_passing(*result.error)) {
      journal_.set_back(item.id);
      put_back(lane, std::move(item));
      return pause(lane, *result.error);
    }
    const int status = result.error->http_status();
    const std::string message = result.error->message();
    return over(lane, {std::move(item),
                       std::move(running.record),
                       EventState::kFailed,
                       Condition::kRetriesExhausted,
                       std::string(result.error->name()),
                       false,
                       {},
                       status,
                       message});
  }
  // A place is free.
  lane.paused_until = 0;
  lane.pause = 0;
  lane.last_status = 0;
  ++item.attempts;
  if (options_.on_attempt) {
    options_.on_attempt(model::function_arn(options_.scope, lane.subject), result);
  }
  if (result.function_error.empty()) {
    return over(lane, {std::move(item), std::move(running.record), EventState::kSucceeded,
                       Condition::kSuccess, name_of(Condition::kSuccess), true, std::move(result)});
  }
  const Snapshot function = directory_.find(lane.subject);
  const model::AsyncPolicy policy =
      function == nullptr ? model::AsyncPolicy{}
                          : catalog::async_policy_of(*function, running.record.qualifier,
                                                     version_of(*function, result.executed_version));
  const Millis now = time_.now();
  const Millis due = now + item.attempts * static_cast<Millis>(options_.retry_base.count());
  const bool is_exhausted = item.attempts > policy.max_retries;
  // One that would be too old by then is over now, as on AWS.
  if (is_exhausted || due - item.accepted >= 1000LL * policy.max_age_s) {
    const Condition condition = is_exhausted ? Condition::kRetriesExhausted : Condition::kEventAgeExceeded;
    std::string message = error_message_of(result.payload);
    return over(lane, {std::move(item), std::move(running.record),
                       is_exhausted ? EventState::kFailed : EventState::kExpired, condition,
                       name_of(condition), true, std::move(result), 200, std::move(message)});
  }
  journal_.retried(item.id);
  owe({{item.token, Settlement::Kind::kNak, due, item.attempts}, lane.name, item.id});
}

void Dispatcher::over(Lane& lane, Over what) {
  EventOutcome outcome;
  outcome.request_id = what.item.id;
  outcome.function_arn =
      model::function_arn(options_.scope, lane.subject, shown_qualifier(what.record.qualifier));
  outcome.state = what.state;
  outcome.condition = what.condition_name;
  outcome.attempts = what.item.attempts;
  outcome.function_error = what.result.function_error;
  outcome.executed_version = what.result.executed_version;
  outcome.accepted = EventClock::time_of(what.item.accepted);
  outcome.ended = EventClock::time_of(time_.now());

  Owed owed{{what.item.token, Settlement::Kind::kAck}, lane.name, what.item.id};
  if (const Snapshot function = directory_.find(lane.subject)) {
    const model::AsyncPolicy policy = catalog::async_policy_of(
        *function, what.record.qualifier, version_of(*function, what.result.executed_version));
    const bool is_success = what.state == EventState::kSucceeded;
    const auto tell = [&](DeliveryKind kind, const std::string& target, const char* suffix) {
      if (target.empty()) return;
      Delivery delivery;
      delivery.id = what.item.id + suffix;
      delivery.kind = kind;
      delivery.target = target;
      delivery.account = options_.scope.account;
      delivery.region = options_.scope.region;
      delivery.request_id = what.item.id;
      delivery.function_arn = outcome.function_arn;
      delivery.condition = what.condition;
      delivery.approximate_invoke_count = what.item.attempts;
      delivery.request_payload = what.record.payload;
      delivery.trace_id = what.record.trace_id;
      delivery.has_response = what.has_response;
      if (what.has_response) {
        delivery.status_code = what.result.status_code;
        delivery.function_error = what.result.function_error;
        delivery.executed_version = what.result.executed_version;
        delivery.response_payload = what.result.payload;
        delivery.response_is_binary = what.result.binary;
      }
      delivery.error_code = what.error_status;
      delivery.error_message = what.error_message;
      delivery.accepted = outcome.accepted;
      delivery.ended = outcome.ended;
      owed.settlement.follow_ups.push_back(
          {prefix_ + "d/" + target, delivery.id, encode(delivery), time_.now()});
    };
    if (is_success) {
      tell(DeliveryKind::kOnSuccess, policy.on_success, "/success");
    } else {
      tell(DeliveryKind::kDeadLetter, policy.dead_letter, "/dead-letter");
      tell(DeliveryKind::kOnFailure, policy.on_failure, "/failure");
    }
  }
  owe(std::move(owed));
  journal_.over(outcome, lane.subject, clock_->now());
  const EventHook& hook = what.state == EventState::kSucceeded ? options_.on_success : options_.on_failure;
  if (!hook) return;
  outcome.payload = std::move(what.result.payload);
  hook(outcome);
}

// ---- Deliveries.

Dispatcher::Begun Dispatcher::begin_delivery(Lane& lane, Item item) {
  auto delivery = decode_delivery(item.body);
  if (!delivery) {
    notice({}, fmt::format("lambed: the stored delivery {} cannot be read and is dropped", item.id));
    journal_.delivery_failed(false);
    owe({{item.token, Settlement::Kind::kAck}, lane.name, {}});
    return Begun::kOver;
  }
  if (time_.now() >= item.accepted + kDeliveryPatience) {
    give_up_delivery(lane, *delivery, "its target has not taken it for six hours");
    owe({{item.token, Settlement::Kind::kAck}, lane.name, {}});
    return Begun::kOver;
  }
  if (deliverer_ == nullptr) {
    put_back(lane, std::move(item));
    pause(lane);
    return Begun::kPaused;
  }
  delivery->attempt = ++item.attempts;
  auto running = std::make_shared<Running>();
  running->lane = lane.name;
  running->item = std::move(item);
  running->delivery = *delivery;
  // What is only reported on needs no second copy of it.
  running->delivery.request_payload.clear();
  running->delivery.response_payload.clear();
  ++lane.running;
  ++running_;
  deliverer_->deliver(std::move(*delivery), [weak = weak_from_this(), running](DeliveryResult result) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    auto end = std::make_shared<Ended>();
    end->running = running;
    end->delivered = std::move(result);
    self->ended(std::move(end));
  });
  return Begun::kRuns;
}

void Dispatcher::finish_delivery(Lane& lane, Running& running, const DeliveryResult& result) {
  switch (result.kind) {
    case DeliveryResult::Kind::kRetryLater: {
      // Behind the others, so that one that its target never takes does not stand in their way; and none of them for a while, so
      // that a target that is down is not asked a thousand times a second.
      const int doublings = std::clamp(running.item.attempts - 1, 0, 9);
      const Millis wait = std::min<Millis>(1000LL << doublings, 300'000);
      owe({{running.item.token, Settlement::Kind::kNak, time_.now() + wait, running.item.attempts},
           lane.name,
           {}});
      return pause(lane);
    }
    case DeliveryResult::Kind::kRefused:
      give_up_delivery(lane, running.delivery, result.words);
      break;
    case DeliveryResult::Kind::kDelivered:
      break;
  }
  lane.paused_until = 0;
  lane.pause = 0;
  owe({{running.item.token, Settlement::Kind::kAck}, lane.name, {}});
}

void Dispatcher::give_up_delivery(const Lane& lane, const Delivery& delivery, const std::string& words) {
  const bool is_dead_letter = delivery.kind == DeliveryKind::kDeadLetter;
  journal_.delivery_failed(is_dead_letter);
  const auto reference = model::parse_function_reference(delivery.function_arn, {}, options_.scope);
  notice(reference.ok() ? reference->name : std::string(),
         fmt::format("lambed: the {} of request {} to {} was given up: {}",
                     is_dead_letter ? "dead letter" : "destination record", delivery.request_id, lane.subject,
                     words));
}

}  // namespace lambed::events
