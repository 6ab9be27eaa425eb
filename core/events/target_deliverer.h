// Sends every delivery to where its target is: AWS's services, another function of this gateway, the table of dead letters.
//
// Threads and life: as Deliverer says.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "events/aws_client.h"
#include "events/dead_letter_table.h"
#include "events/delivery.h"
#include "lambed/invoke.h"

namespace lambed::events {

class TargetDeliverer final : public Deliverer {
 public:
  // Takes an event for a function of this gateway, as Gateway::invoke with a callback does; must not block. `done` on any thread.
  using Invoke = std::function<void(InvokeRequest, std::function<void(InvokeResult)> done)>;

  // `clock` outlives the deliverer.
  TargetDeliverer(const Clock& clock, std::shared_ptr<DeadLetterTable> local, Invoke invoke, AwsSettings aws);

  void deliver(Delivery delivery, std::function<void(DeliveryResult)> done) override;

 private:
  void invoke(Delivery delivery, const model::Target& target, std::function<void(DeliveryResult)> done);

  const Clock& clock_;
  const std::shared_ptr<DeadLetterTable> local_;
  const Invoke invoke_;
  AwsClient aws_;
};

}  // namespace lambed::events
