#include "invocation/answers.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/digest.h"
#include "telemetry/platform_lines.h"

namespace lambed::invocation {
namespace {

constexpr std::uint64_t kMegabyte = 1024 * 1024;

std::chrono::nanoseconds timeout_of(const Invocation& invocation) {
  return std::chrono::seconds(invocation.version->configuration.timeout_s);
}

struct Ran {
  Nanos duration = 0;
  telemetry::ReportStatus status = telemetry::ReportStatus::kSuccess;
  std::string_view error_type;
};

// Fills result.report and the log's END and REPORT, and counts it.
void report(Services& services, Invocation& invocation, environments::Environment* environment,
            const Ran& ran) {
  const FunctionConfiguration& configuration = invocation.version->configuration;
  InvocationReport& r = invocation.result.report;
  r.duration = std::chrono::nanoseconds(ran.duration);
  r.billed_duration = telemetry::billed_duration(r.duration, services.options.quotas.billing_step);
  r.init_duration = std::chrono::nanoseconds(invocation.init_duration.value_or(0));
  r.memory_size_mb = configuration.memory_mb;
  if (environment != nullptr) {
    r.max_memory_used_mb = static_cast<int>((environment->memory_peak.load() + kMegabyte - 1) / kMegabyte);
    telemetry::ReportLine line;
    line.duration = r.duration;
    line.billed_duration = r.billed_duration;
    line.memory_size_mb = r.memory_size_mb;
    line.max_memory_used_mb = r.max_memory_used_mb;
    line.init_duration = r.init_duration;
    line.status = ran.status;
    line.error_type = ran.error_type;
    // Reading the clock again would cost more than it tells.
    const std::string tail = environment->log().end(line, invocation.started_at + r.duration);
    if (invocation.request.log_tail) invocation.result.log_tail = base64_encode(tail);
  }
  telemetry::MeteredInvocation metered;
  metered.billed_duration = r.billed_duration;
  metered.memory_size_mb = r.memory_size_mb;
  metered.cold_start = invocation.init_duration.has_value();
  metered.failed = ran.status != telemetry::ReportStatus::kSuccess;
  metered.timed_out = ran.status == telemetry::ReportStatus::kTimeout;
  invocation.function->meter.count(metered);
}

// The caller may be gone with the record as soon as this has woken him.
void deliver(Services& services, Invocation& invocation) {
  invocation.deadline.store(kNever, std::memory_order_relaxed);
  InvokeResult& result = invocation.result;
  result.executed_version = invocation.version->version;
  services.account.release(*invocation.function, invocation.counted_as_reserved);
  switch (invocation.delivery) {
    case Delivery::kCallerWaits:
      invocation.caller.unpark();
      return;
    case Delivery::kCallback:
      if (!services.loop->post(&invocation)) invocation.run();
      return;
    case Delivery::kCallbackAnywhere:
      invocation.run();
      return;
    case Delivery::kFuture: {
      std::promise<InvokeResult> promise = std::move(invocation.promise);
      InvokeResult answer = invocation.take_result();
      invocation.let_go();
      if (answer.error) {
        promise.set_exception(std::make_exception_ptr(*answer.error));
      } else {
        promise.set_value(std::move(answer));
      }
      return;
    }
  }
}

// What every timeout has in common, once its document is written.
void deliver_timeout(Services& services, Invocation& invocation, environments::Environment* environment,
                     Nanos now) {
  invocation.result.function_error = "Unhandled";
  Ran ran;
  ran.duration = std::min<Nanos>(now - (invocation.started != 0 ? invocation.started : invocation.submitted),
                                 timeout_of(invocation).count());
  ran.status = telemetry::ReportStatus::kTimeout;
  report(services, invocation, environment, ran);
  deliver(services, invocation);
}

}  // namespace

void answer_with(Services& services, Invocation& invocation, environments::Environment& environment,
                 Answer answer, Nanos finished) {
  InvokeResult& result = invocation.result;
  result.payload = std::move(answer.payload);
  result.binary = answer.binary;
  if (answer.failed) result.function_error = "Unhandled";
  Ran ran;
  ran.duration = finished - invocation.started;
  ran.status = answer.failed ? telemetry::ReportStatus::kError : telemetry::ReportStatus::kSuccess;
  ran.error_type = answer.error_type;
  report(services, invocation, &environment, ran);
  deliver(services, invocation);
}

void answer_timeout(Services& services, Invocation& invocation, environments::Environment* environment,
                    Nanos now) {
  InvokeResult& result = invocation.result;
  const std::chrono::nanoseconds limit = timeout_of(invocation);
  if (environment == nullptr) {
    result.payload =
        timeout_document(invocation.request.request_id, std::chrono::nanoseconds(now - invocation.submitted),
                         " without an environment to run in");
  } else {
    result.payload = timeout_document(invocation.request.request_id, limit, "");
    environment->measure();
    std::string line;
    telemetry::append_iso_time(line, services.clock->wall());
    line += ' ';
    line += invocation.request.request_id;
    line += " Task timed out after ";
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.2f", std::chrono::duration<double>(limit).count());
    line += seconds;
    line += " seconds\n\n";
    environment->log().write(LogKind::kFunctionLog, line);
  }
  deliver_timeout(services, invocation, environment, now);
}

void answer_init_timeout(Services& services, Invocation& invocation, Nanos now) {
  invocation.result.payload = timeout_document(invocation.request.request_id,
                                               services.options.quotas.init_timeout, " in its init phase");
  deliver_timeout(services, invocation, nullptr, now);
}

void answer_error(Services& services, Invocation& invocation, Error error) {
  invocation.result.status_code = error.http_status();
  invocation.result.error = std::move(error);
  deliver(services, invocation);
}

}  // namespace lambed::invocation
