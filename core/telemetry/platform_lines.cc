#include "telemetry/platform_lines.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cstdint>
#include <ctime>
#include <iterator>

namespace lambed::telemetry {
namespace {

// "3.01" of 3.01 ms, in whole numbers: printing a double would cost more than the rest of the line.
struct Milliseconds {
  std::int64_t whole;
  int hundredths;
};

Milliseconds two_decimals(std::chrono::nanoseconds time) {
  const std::int64_t hundredths = (time.count() + 5'000) / 10'000;
  return {hundredths / 100, static_cast<int>(hundredths % 100)};
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

void append_init_start(std::string& out, std::string_view runtime_version, std::string_view runtime_version_arn) {
  append(out, FMT_COMPILE("INIT_START Runtime Version: {}\tRuntime Version ARN: {}\n"), runtime_version,
         runtime_version_arn);
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
  const Milliseconds duration = two_decimals(report.duration);
  append(out,
         FMT_COMPILE("REPORT RequestId: {}\tDuration: {}.{:02} ms\tBilled Duration: {} ms\tMemory Size: {} MB\t"
                     "Max Memory Used: {} MB\t"),
         request_id, duration.whole, duration.hundredths, report.billed_duration.count(), report.memory_size_mb,
         report.max_memory_used_mb);
  if (report.init_duration.count() > 0) {
    const Milliseconds init = two_decimals(report.init_duration);
    append(out, FMT_COMPILE("Init Duration: {}.{:02} ms\t"), init.whole, init.hundredths);
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

void append_json_start(std::string& out, WallTime time, std::string_view request_id, std::string_view version) {
  open_record(out, time, "start");
  append_member(out, "requestId", request_id);
  out += ',';
  append_member(out, "version", version);
  out += "}}\n";
}

void append_json_report(std::string& out, WallTime time, std::string_view request_id, const ReportLine& report) {
  open_record(out, time, "report");
  append_member(out, "requestId", request_id);
  const Milliseconds duration = two_decimals(report.duration);
  append(out,
         FMT_COMPILE(R"(,"metrics":{{"durationMs":{}.{:02},"billedDurationMs":{},"memorySizeMB":{},)"
                     R"("maxMemoryUsedMB":{})"),
         duration.whole, duration.hundredths, report.billed_duration.count(), report.memory_size_mb,
         report.max_memory_used_mb);
  if (report.init_duration.count() > 0) {
    const Milliseconds init = two_decimals(report.init_duration);
    append(out, FMT_COMPILE(R"(,"initDurationMs":{}.{:02})"), init.whole, init.hundredths);
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
  append(out, FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z"), parts.tm_year + 1900, parts.tm_mon + 1,
         parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (since_epoch - whole_seconds).count());
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
