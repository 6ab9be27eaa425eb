#include "cli/logs_command.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "cli/exit_codes.h"
#include "cli/listen_address.h"
#include "cli/standard_streams.h"
#include "http/client.h"

namespace lambed::cli {
namespace {

// A follower hears nothing for as long as the function is silent.
constexpr auto kSilence = std::chrono::hours(24 * 365);

// "90", "90s", "5m", "2h", "1d"
std::string seconds_of(const std::string& text) {
  std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string::npos) digits = text.size();
  const std::string unit = text.substr(digits);
  const long factor = unit.empty() || unit == "s" ? 1
                      : unit == "m"               ? 60
                      : unit == "h"               ? 3600
                      : unit == "d"               ? 86'400
                                                  : 0;
  if (digits == 0 || digits > 6 || factor == 0) {
    throw CommandError(fmt::format("--since {}: write it as 90s, 5m, 2h or 1d", text));
  }
  return std::to_string(std::stol(text.substr(0, digits)) * factor);
}

std::string problem_of(const http::Response& answer) {
  const auto document = nlohmann::json::parse(answer.body, nullptr, false);
  for (const char* member : {"Message", "message"}) {
    if (document.is_object() && document.contains(member)) return document[member].get<std::string>();
  }
  return fmt::format("the server has answered {}", answer.status);
}

}  // namespace

void declare_logs(CLI::App& command, LogsOptions& options) {
  command.add_option("NAME", options.function, "The function")->required()->type_name(" ");
  command.add_flag("--follow,-f", options.follow,
                   "Goes on as the function writes, until the server ends or Ctrl-C");
  command
      .add_option("--since", options.since,
                  "Not what is older: 90s, 5m, 2h, 1d (all that the server has kept)")
      ->type_name("TIME");
  command.add_option("--server", options.server, "Where `lambed serve` listens (127.0.0.1:9001)")
      ->type_name("ADDRESS:PORT");
}

int run_logs(const LogsOptions& options) {
  const ListenAddress address = loopback_address(options.server);
  http::Request request;
  request.method = "GET";
  request.target = "/_lambed/logs/" + http::percent_encoded(options.function) +
                   (options.follow ? "?follow=true" : "?follow=false");
  if (!options.since.empty()) request.target += "&since=" + seconds_of(options.since);
  try {
    http::Client client(address.host, address.port, kSilence);
    std::string problem;
    const http::Response end =
        client.stream(request, [&](const http::Response& head, std::string_view piece) {
          if (head.status == 200) {
            write_standard_output(piece);
          } else {
            problem += piece;
          }
          return true;
        });
    if (end.status == 200) return kExitOk;
    http::Response failed = end;
    failed.body = problem;
    throw CommandError(problem_of(failed));
  } catch (const std::system_error& error) {
    throw CommandError(fmt::format("{}: {}; does `lambed serve` run there?", options.server, error.what()));
  }
}

}  // namespace lambed::cli
