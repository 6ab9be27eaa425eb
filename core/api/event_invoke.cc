// What becomes of events: PutFunctionEventInvokeConfig and its kin.
#include <algorithm>

#include "api/operations.h"

namespace lambed::api {
namespace {

using nlohmann::json;

json destination(const std::string& arn) { return arn.empty() ? json::object() : json{{"Destination", arn}}; }

// Limits that were not set are not answered; destinations always are, so has AWS answered.
json describe(const EventInvokeConfiguration& configuration) {
  json out = {{"LastModified", static_cast<double>(configuration.last_modified_ms) / 1000.0},
              {"FunctionArn", configuration.function_arn},
              {"DestinationConfig",
               {{"OnSuccess", destination(configuration.on_success)},
                {"OnFailure", destination(configuration.on_failure)}}}};
  if (configuration.maximum_retry_attempts)
    out["MaximumRetryAttempts"] = *configuration.maximum_retry_attempts;
  if (configuration.maximum_event_age_s) out["MaximumEventAgeInSeconds"] = *configuration.maximum_event_age_s;
  return out;
}

EventInvokeRequest event_invoke_of(const Call& call) {
  const Members body = call.body();
  EventInvokeRequest request;
  request.function = call.function();
  request.qualifier = call.qualifier();
  request.maximum_retry_attempts = body.integer("MaximumRetryAttempts");
  request.maximum_event_age_s = body.integer("MaximumEventAgeInSeconds");
  // One setting to the API: where it is given, a direction that it does not name has none.
  if (const auto config = body.structure("DestinationConfig")) {
    const auto of = [&](const char* direction) {
      const auto member = config->structure(direction);
      return member ? member->text("Destination").value_or("") : std::string();
    };
    request.on_success = of("OnSuccess");
    request.on_failure = of("OnFailure");
  }
  return request;
}

}  // namespace

Reply put_event_invoke(Api&, Scope& scope, Call& call) {
  return {200, describe(scope.catalog().put_event_invoke(event_invoke_of(call)).value())};
}

Reply update_event_invoke(Api&, Scope& scope, Call& call) {
  return {200, describe(scope.catalog().update_event_invoke(event_invoke_of(call)).value())};
}

Reply get_event_invoke(Api&, Scope& scope, Call& call) {
  return {200, describe(scope.catalog().get_event_invoke(call.function(), call.qualifier()).value())};
}

Reply delete_event_invoke(Api&, Scope& scope, Call& call) {
  scope.catalog().delete_event_invoke(call.function(), call.qualifier()).value();
  return {204, nullptr};
}

Reply list_event_invoke(Api&, Scope& scope, Call& call) {
  const Page page = page_of(call, 50, 50);
  const auto configurations = scope.catalog().list_event_invoke(call.function()).value();
  json body;
  put_page(
      body, "FunctionEventInvokeConfigs", page, configurations, [](const auto& c) { return c.function_arn; },
      [](const auto& c) { return describe(c); });
  return {200, std::move(body)};
}

}  // namespace lambed::api
