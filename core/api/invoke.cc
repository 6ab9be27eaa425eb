// Invoke and InvokeAsync: on the loop's thread from the wire to the engine, answered from the thread that has the result.
#include <fmt/format.h>

#include <algorithm>

#include "api/handling.h"
#include "base/digest.h"
#include "model/reference.h"

namespace lambed::api {
namespace {

// Larger payloads are checked by a worker: validating JSON takes 1 ms per MB.
constexpr std::size_t kCheckedOnLoop = 64 * 1024;

// The old form of an Event: the body is the event, there is nothing else to say.
constexpr std::string_view kInvokeAsync = "InvokeAsync";

InvokeRequest request_of(Call& call) {
  InvokeRequest request;
  if (call.operation->name == kInvokeAsync) {
    request.type = InvocationType::kEvent;
    request.function = call.function();
    request.trace_id = call.request.header("X-Amzn-Trace-Id");
    request.payload = std::move(call.request.body);
    return request;
  }
  model::Violations violations;
  const std::string type(call.request.header("X-Amz-Invocation-Type"));
  if (!type.empty()) check_enum(violations, type, "invocationType", {"Event", "RequestResponse", "DryRun"});
  const std::string log_type(call.request.header("X-Amz-Log-Type"));
  if (!log_type.empty()) check_enum(violations, log_type, "logType", {"None", "Tail"});
  throw_if_any(violations);
  if (type == "Event") request.type = InvocationType::kEvent;
  if (type == "DryRun") request.type = InvocationType::kDryRun;
  request.log_tail = log_type == "Tail";
  if (const std::string* context = call.request.find("X-Amz-Client-Context");
      context != nullptr && !context->empty()) {
    auto decoded = base64_decode(*context);
    if (!decoded) {
      throw Fault(Error(ErrorCode::InvalidRequestContentException,
                        "Client context must be a valid Base64-encoded JSON object."));
    }
    request.client_context = std::move(*decoded);
  }
  request.function = call.function();
  request.qualifier = call.qualifier();
  request.tenant_id = call.request.header("X-Amz-Tenant-Id");
  request.trace_id = call.request.header("X-Amzn-Trace-Id");
  // An event's id is made by the queue, which finds it by it.
  if (request.type != InvocationType::kEvent) request.request_id = call.request_id;
  request.payload = std::move(call.request.body);
  return request;
}

http::Response response_of(InvokeResult&& result, const std::string& trace_id) {
  http::Response response;
  response.status = result.status_code;
  if (result.status_code == 202) {
    response.with("x-amzn-Remapped-Content-Length", "0");
    if (!trace_id.empty()) response.with("X-Amzn-Trace-Id", trace_id);
    return response;
  }
  response.with("Content-Type", result.binary ? "application/octet-stream" : "application/json");
  response.with("x-amzn-Remapped-Content-Length", "0");
  if (!result.executed_version.empty())
    response.with("X-Amz-Executed-Version", std::move(result.executed_version));
  if (!result.function_error.empty()) response.with("X-Amz-Function-Error", std::move(result.function_error));
  if (!result.log_tail.empty()) response.with("X-Amz-Log-Result", std::move(result.log_tail));
  if (!trace_id.empty()) response.with("X-Amzn-Trace-Id", trace_id);
  response.body = std::move(result.payload);
  return response;
}

}  // namespace

void Api::invoke(const std::shared_ptr<Handling>& handling) {
  Call& call = handling->call;
  if (call.request.body.size() <= kCheckedOnLoop) return start_invocation(handling);
  const bool taken = payload_workers_.post([this, handling] {
    try {
      start_invocation(handling);
    } catch (const Fault& fault) {
      answer(handling, fault);
    } catch (const std::exception& error) {
      answer(handling, Fault(Error(ErrorCode::ServiceException, error.what())));
    }
  });
  if (!taken) throw Fault(Error(ErrorCode::GatewayClosed, "The server is stopping."));
}

void Api::start_invocation(const std::shared_ptr<Handling>& handling) {
  Call& call = handling->call;
  InvokeRequest request = request_of(call);
  const auto reference = model::parse_function_reference(request.function, request.qualifier,
                                                         {handling->scope->region, handling->scope->account});
  if (reference.ok()) handling->function = reference->arn();
  const std::string trace_id = request.trace_id;
  const bool is_event = request.type == InvocationType::kEvent;
  handling->scope->core->engine().invoke(
      std::move(request),
      [this, handling, trace_id, is_event](InvokeResult result) {
        // On the thread of an environment, which holds its interpreter's lock, or on that of the queue's commits: nothing here
        // waits.
        if (is_event) {
          // Counted when it runs.
          if (!result.error) handling->call.request_id = result.request_id;
        } else if (!handling->function.empty()) {
          const bool exists = !result.error || result.error->code() == ErrorCode::TooManyRequestsException;
          if (exists && result.status_code != 204) metrics_.count(handling->function, result);
        }
        if (result.error) {
          answer(handling, Fault(*result.error));
        } else {
          answer(handling, response_of(std::move(result), trace_id));
        }
      },
      CallbackThread::kAny);
}

}  // namespace lambed::api
