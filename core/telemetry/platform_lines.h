// The lines that Lambda itself writes into a function's log: INIT_START, START, END and REPORT, as text or as
// JSON records. Pure formatting, appended to the caller's buffer so that a warm buffer costs no allocation.
// Any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace lambed::telemetry {

using WallTime = std::chrono::system_clock::time_point;

enum class ReportStatus { kSuccess, kError, kTimeout };

// What a REPORT line tells.
struct ReportLine {
  std::chrono::nanoseconds duration{};
  std::chrono::milliseconds billed_duration{};
  int memory_size_mb = 0;
  int max_memory_used_mb = 0;
  std::chrono::nanoseconds init_duration{};  // zero: no cold start, nothing is printed
  ReportStatus status = ReportStatus::kSuccess;
  std::string_view error_type = {};  // of kError: "Runtime.ExitError"
};

// "INIT_START Runtime Version: python:3.11.2\tRuntime Version ARN: ...\n"; without an ARN its part is left out.
void append_init_start(std::string& out, std::string_view runtime_version,
                       std::string_view runtime_version_arn);
// "START RequestId: ID Version: $LATEST\n"
void append_start(std::string& out, std::string_view request_id, std::string_view version);
// "END RequestId: ID\n"
void append_end(std::string& out, std::string_view request_id);
// "REPORT RequestId: ID\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36
// MB\t\n", with "Init Duration: 110.10 ms\t" on a cold start; anything but a success ends in "Status:
// timeout" or "Status: error\tError Type: T" instead of the last tab.
void append_report(std::string& out, std::string_view request_id, const ReportLine& report);

// The same for functions whose LogFormat is JSON: one object a line, {"time","type","record"}. There is no
// END there.
void append_json_init_start(std::string& out, WallTime time, std::string_view runtime_version,
                            std::string_view runtime_version_arn, std::string_view function_name,
                            std::string_view function_version);
void append_json_start(std::string& out, WallTime time, std::string_view request_id,
                       std::string_view version);
void append_json_report(std::string& out, WallTime time, std::string_view request_id,
                        const ReportLine& report);

// "2025-11-24T10:00:00.123Z"
void append_iso_time(std::string& out, WallTime time);
// `text` as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

}  // namespace lambed::telemetry
