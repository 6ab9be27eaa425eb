#include "events/target_deliverer.h"

#include <utility>

#include "events/messages.h"

namespace lambed::events {

namespace {

using Kind = DeliveryResult::Kind;

// Whether a function takes its record later, when it has not taken it now.
DeliveryResult judge(const InvokeResult& result) {
  if (!result.error) return {};
  const Error& error = *result.error;
  const bool passes = error.code() == ErrorCode::TooManyRequestsException ||
                      error.code() == ErrorCode::ServiceException || error.code() == ErrorCode::GatewayClosed;
  return {passes ? Kind::kRetryLater : Kind::kRefused, std::string(error.name()) + ": " + error.message()};
}

}  // namespace

TargetDeliverer::TargetDeliverer(const Clock& clock, std::shared_ptr<DeadLetterTable> local, Invoke invoke,
                                 AwsSettings aws)
    : clock_(clock),
      local_(std::move(local)),
      invoke_(std::move(invoke)),
      aws_(std::move(aws), std::make_shared<CredentialSource>()) {}

void TargetDeliverer::deliver(Delivery delivery, std::function<void(DeliveryResult)> done) {
  const auto target = model::parse_target(delivery.target);
  if (!target) return done({Kind::kRefused, "nothing can be sent to this target: " + delivery.target});
  switch (target->kind) {
    case model::TargetKind::kLocal: {
      const std::string id = delivery.id;
      return local_->add(id, dead_letter_of(std::move(delivery), clock_.wall()), std::move(done));
    }
    case model::TargetKind::kFunction:
      return invoke(std::move(delivery), *target, std::move(done));
    case model::TargetKind::kSqs:
    case model::TargetKind::kSns:
    case model::TargetKind::kEventBus:
    case model::TargetKind::kBucket:
      return aws_.deliver(delivery, *target, std::move(done));
  }
}

void TargetDeliverer::invoke(Delivery delivery, const model::Target& target,
                             std::function<void(DeliveryResult)> done) {
  InvokeRequest request;
  request.function = target.text;
  request.type = InvocationType::kEvent;
  request.payload = body_of(delivery);
  request.trace_id = std::move(delivery.trace_id);
  invoke_(std::move(request), [done = std::move(done)](const InvokeResult& result) { done(judge(result)); });
}

}  // namespace lambed::events
