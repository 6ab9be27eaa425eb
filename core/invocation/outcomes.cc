#include "invocation/outcomes.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <csignal>
#include <cstdint>
#include <cstring>

#include "telemetry/platform_lines.h"

namespace lambed::invocation {
namespace {

std::string_view text_of(lambed_slice s) {
  return s.data == nullptr ? std::string_view() : std::string_view(s.data, s.size);
}

// A result from here on needs more pages than an allocator keeps. Where each is made at its first touch, that costs ten times the copy
// itself on virtual machines; made together, and large ones, a tenth of that.
constexpr std::size_t kManyPages = std::size_t{1} << 20;
constexpr std::uintptr_t kPageBytes = 4096;
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void copy_payload(std::string& to, std::string_view from) {
  if (from.size() >= kManyPages) {
    to.reserve(from.size());
    const std::uintptr_t begin =
        (reinterpret_cast<std::uintptr_t>(to.data()) + kPageBytes - 1) & ~(kPageBytes - 1);
    const std::uintptr_t end =
        (reinterpret_cast<std::uintptr_t>(to.data()) + from.size()) & ~(kPageBytes - 1);
    // Advice: where the kernel does not take it, the pages come one by one.
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
  }
  to.assign(from);
}

// As Go's os.ProcessState prints it, which is what Lambda shows.
std::string_view signal_text(int signal) {
  switch (signal) {
    case SIGABRT:
      return "aborted";
    case SIGSEGV:
      return "segmentation fault";
    case SIGBUS:
      return "bus error";
    case SIGFPE:
      return "floating point exception";
    case SIGILL:
      return "illegal instruction";
    case SIGKILL:
      return "killed";
    case SIGTERM:
      return "terminated";
    case SIGINT:
      return "interrupt";
    case SIGPIPE:
      return "broken pipe";
    case SIGHUP:
      return "hangup";
    case SIGQUIT:
      return "quit";
    case SIGTRAP:
      return "trace/breakpoint trap";
    default:
      return {};
  }
}

std::string exit_message(const lambed_outcome& outcome) {
  if (outcome.term_signal != 0) {
    const std::string_view name = signal_text(outcome.term_signal);
    if (name.empty()) return fmt::format("Runtime exited with error: signal {}", outcome.term_signal);
    return fmt::format("Runtime exited with error: signal: {}", name);
  }
  if (outcome.exit_code == 0) return "Runtime exited without providing a reason";
  return fmt::format("Runtime exited with error: exit status {}", outcome.exit_code & 0xff);
}

}  // namespace

std::string sandbox_document(std::string_view error_type, std::string_view request_id,
                             std::string_view message) {
  std::string document = R"({"errorType":)";
  telemetry::append_json_string(document, error_type);
  document += R"(,"errorMessage":)";
  telemetry::append_json_string(document, fmt::format("RequestId: {} Error: {}", request_id, message));
  document += '}';
  return document;
}

std::string timeout_document(std::string_view request_id, std::chrono::nanoseconds limit,
                             std::string_view phase) {
  return sandbox_document("Sandbox.Timedout", request_id,
                          fmt::format("Task timed out after {:.2f} seconds{}",
                                      std::chrono::duration<double>(limit).count(), phase));
}

bool ends_environment(const lambed_outcome& outcome) {
  return (outcome.flags & LAMBED_OUTCOME_DISCARD) != 0 ||
         (outcome.kind != LAMBED_OUTCOME_SUCCESS && outcome.kind != LAMBED_OUTCOME_FUNCTION_ERROR);
}

Answer answer_of(const lambed_outcome& outcome, std::string_view request_id, const Quotas& quotas) {
  Answer answer;
  answer.failed = true;
  switch (outcome.kind) {
    case LAMBED_OUTCOME_SUCCESS:
      if (outcome.payload.size > quotas.sync_response) {
        answer.error_type = "Function.ResponseSizeTooLarge";
        answer.payload = fmt::format(
            R"({{"errorMessage":"Response payload size exceeded maximum allowed payload size ({} bytes).","errorType":"{}"}})",
            quotas.sync_response, answer.error_type);
        return answer;
      }
      answer.failed = false;
      answer.binary = (outcome.flags & LAMBED_OUTCOME_BINARY) != 0;
      copy_payload(answer.payload, text_of(outcome.payload));
      return answer;
    case LAMBED_OUTCOME_FUNCTION_ERROR:
      answer.error_type.assign(text_of(outcome.error_type));
      answer.payload.assign(text_of(outcome.payload));
      return answer;
    case LAMBED_OUTCOME_EXITED:
      answer.error_type = "Runtime.ExitError";
      answer.payload = sandbox_document(answer.error_type, request_id, exit_message(outcome));
      return answer;
    case LAMBED_OUTCOME_OUT_OF_MEMORY:
      answer.error_type = "Runtime.ExitError";
      answer.payload =
          sandbox_document(answer.error_type, request_id, "Runtime exited with error: signal: killed");
      return answer;
    case LAMBED_OUTCOME_REFUSED:
      answer.error_type = "Runtime.HostRefused";
      answer.payload = sandbox_document(answer.error_type, request_id, text_of(outcome.payload));
      return answer;
    default:
      // INTERRUPTED without a caller who timed out: something else stopped the handler (a close, an operator).
      answer.error_type = "Runtime.ExitError";
      answer.payload =
          sandbox_document(answer.error_type, request_id, "Runtime exited with error: signal: killed");
      return answer;
  }
}

}  // namespace lambed::invocation
