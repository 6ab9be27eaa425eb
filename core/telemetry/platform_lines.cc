#include "telemetry/platform_lines.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <iterator>

namespace lambed::telemetry {
namespace {

void append_number(std::string& out, std::int64_t number) {
  const fmt::format_int digits(number);
  out.append(digits.data(), digits.size());
}

// "3.01" of 3.01 ms, in whole numbers: printing a double would cost more than the rest of the line.
void append_milliseconds(std::string& out, std::chrono::nanoseconds time) {
  const std::int64_t hundredths = (time.count() + 5'000) / 10'000;
  append_number(out, hundredths / 100);
  const auto fraction = static_cast<int>(hundredths % 100);
  out += '.';
  out += static_cast<char>('0' + fraction / 10);
  out += static_cast<char>('0' + fraction % 10);
}

template <typename Format, typename... Values>
void append(std::string& out, const Format& format, const Values&... values) {
  fmt::format_to(std::back_inserter(out), format, values...);
}

std::string_view name_of(ReportStatus status) {
  switch (status) {
    case ReportStatus::kError:
      return "error";
    case ReportStatus::kTimeout:
      return "timeout";
    case ReportStatus::kSuccess:
      break;
  }
  return "success";
}

void open_record(std::string& out, WallTime time, std::string_view type) {
  out += R"({"time":")";
  append_iso_time(out, time);
  append(out, FMT_COMPILE(R"(","type":"platform.{}","record":{{)"), type);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  append(out, FMT_COMPILE("\"{}\":"), name);
  append_json_string(out, value);
}

}  // namespace

void append_init_start(std::string& out, std::string_view runtime_version,
                       std::string_view runtime_version_arn) {
  append(out, FMT_COMPILE("INIT_START Runtime Version: {}"), runtime_version);
  if (!runtime_version_arn.empty())
    append(out, FMT_COMPILE("\tRuntime Version ARN: {}"), runtime_version_arn);
  out += '\n';
}

void append_start(std::string& out, std::string_view request_id, std::string_view version) {
  out += "START RequestId: ";
  out += request_id;
  out += " Version: ";
  out += version;
  out += '\n';
}

void append_end(std::string& out, std::string_view request_id) {
  out += "END RequestId: ";
  out += request_id;
  out += '\n';
}

void append_report(std::string& out, std::string_view request_id, const ReportLine& report) {
  // Written on every invocation: plain appends take a third of what a format string takes.
  out += "REPORT RequestId: ";
  out += request_id;
  out += "\tDuration: ";
  append_milliseconds(out, report.duration);
  out += " ms\tBilled Duration: ";
  append_number(out, report.billed_duration.count());
  out += " ms\tMemory Size: ";
  append_number(out, report.memory_size_mb);
  out += " MB\tMax Memory Used: ";
  append_number(out, report.max_memory_used_mb);
  out += " MB\t";
  if (report.init_duration.count() > 0) {
    out += "Init Duration: ";
    append_milliseconds(out, report.init_duration);
    out += " ms\t";
  }
  if (report.status != ReportStatus::kSuccess) append(out, FMT_COMPILE("Status: {}"), name_of(report.status));
  if (report.status == ReportStatus::kError && !report.error_type.empty()) {
    append(out, FMT_COMPILE("\tError Type: {}"), report.error_type);
  }
  out += '\n';
}

void append_json_init_start(std::string& out, WallTime time, std::string_view runtime_version,
                            std::string_view runtime_version_arn, std::string_view function_name,
                            std::string_view function_version) {
  open_record(out, time, "initStart");
  out += R"("initializationType":"on-demand","phase":"init",)";
  append_member(out, "runtimeVersion", runtime_version);
  out += ',';
  append_member(out, "runtimeVersionArn", runtime_version_arn);
  out += ',';
  append_member(out, "functionName", function_name);
  out += ',';
  append_member(out, "functionVersion", function_version);
  out += "}}\n";
}

void append_json_start(std::string& out, WallTime time, std::string_view request_id,
                       std::string_view version) {
  open_record(out, time, "start");
  append_member(out, "requestId", request_id);
  out += ',';
  append_member(out, "version", version);
  out += "}}\n";
}

void append_json_report(std::string& out, WallTime time, std::string_view request_id,
                        const ReportLine& report) {
  open_record(out, time, "report");
  append_member(out, "requestId", request_id);
  out += R"(,"metrics":{"durationMs":)";
  append_milliseconds(out, report.duration);
  append(out, FMT_COMPILE(R"(,"billedDurationMs":{},"memorySizeMB":{},"maxMemoryUsedMB":{})"),
         report.billed_duration.count(), report.memory_size_mb, report.max_memory_used_mb);
  if (report.init_duration.count() > 0) {
    out += R"(,"initDurationMs":)";
    append_milliseconds(out, report.init_duration);
  }
  append(out, FMT_COMPILE(R"(}},"status":"{}")"), name_of(report.status));
  if (report.status == ReportStatus::kError && !report.error_type.empty()) {
    out += ',';
    append_member(out, "errorType", report.error_type);
  }
  out += "}}\n";
}

void append_iso_time(std::string& out, WallTime time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto whole_seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t seconds = whole_seconds.count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  append(out, FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z"), parts.tm_year + 1900,
         parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
         (since_epoch - whole_seconds).count());
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          append(out, FMT_COMPILE("\\u{:04x}"), static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace lambed::telemetry
