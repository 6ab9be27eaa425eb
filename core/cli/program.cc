// The `lambed` program: parses the command line, runs one command, turns errors into words and an exit status.
#include "lambed/program.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <sstream>
#include <string>

#include "cli/dlq_command.h"
#include "cli/doctor_command.h"
#include "cli/exit_codes.h"
#include "cli/invoke_command.h"
#include "cli/logs_command.h"
#include "cli/runtime_probe.h"
#include "cli/serve_command.h"
#include "cli/standard_streams.h"
#include "lambed/errors.h"

namespace {

using namespace lambed::cli;

constexpr const char* kInvokeFooter = R"(
What is guessed, when --handler does not say it: lambda_function.py, index.mjs, index.js, index.cjs, lambda_function.rb, then
app.* of any of these; in it lambda_handler or handler. The handler's answer is all that goes to standard output; its log,
with Lambda's START, END and REPORT lines, goes to standard error.

Exit status: 0 the handler has answered; 1 it failed (standard output has the error document that Lambda would give);
2 it was not run: a usage error, no function there, no interpreter, an event that is not JSON.

Examples:
  lambed invoke functions/hello --event '{"name":"Ada"}'
  lambed invoke app.py --handler app.main --event-file event.json --timeout 10
  curl -s https://example.com/event.json | lambed invoke function.zip -
)";

constexpr const char* kServeFooter = R"(
Point AWS's tools at it: `aws --endpoint-url http://127.0.0.1:9001 lambda ...`, AWS_ENDPOINT_URL_LAMBDA, or an SDK's endpoint.
Any credentials do; the region and the account (an access key of 12 digits) of a request's signature keep its functions apart.
GET /health and /metrics tell how it is. SIGTERM or Ctrl-C lets requests under way end; a second one ends it at once.

Examples:
  lambed serve --functions functions
  lambed serve --data data --aws-endpoint-url http://127.0.0.1:5000
  lambed serve --listen 127.0.0.1:0 --access-log access.json --quotas current
)";

constexpr const char* kDlqFooter = R"(
Dead letters are events that no attempt could handle, of functions whose DeadLetterConfig or failure destination is lambed:local;
records of success destinations lie there, too, and are never redriven. A redriven event is a new one for the function as it was
called: it has a new request id and all its retries. Exit status of redrive: 1 when the server refused some; these stay.

Examples:
  lambed dlq list --function hello
  lambed dlq show 00000000000000000007
  lambed dlq redrive --function hello
  lambed dlq purge --all
)";

int report(std::string_view problem) {
  fmt::print(stderr, "lambed: {}\n", problem);
  return kExitFailed;
}

int run(int count, const char* const* arguments) {
  CLI::App app{
      "Runs AWS Lambda functions written in Python, Node.js and Ruby, without containers and without AWS.",
      "lambed"};
  app.set_version_flag("--version", "lambed " LAMBED_VERSION, "Prints the version and ends");
  app.set_help_flag("-h,--help", "Prints this help and ends");
  app.require_subcommand(1);
  app.footer(
      "\n`lambed COMMAND --help` tells about a command. Without knowing what is wrong, start with `lambed "
      "doctor`.");

  InvokeOptions invoke_options;
  CLI::App* invoke = app.add_subcommand("invoke", "Runs a handler once and prints its answer");
  declare_invoke(*invoke, invoke_options);
  invoke->footer(kInvokeFooter);
  ServeOptions serve_options;
  CLI::App* serve = app.add_subcommand("serve", "Serves functions over AWS's Lambda REST API");
  declare_serve(*serve, serve_options);
  serve->footer(kServeFooter);
  LogsOptions logs_options;
  CLI::App* logs = app.add_subcommand("logs", "Shows a function's log, of a running `lambed serve`");
  declare_logs(*logs, logs_options);
  DlqOptions dlq_options;
  CLI::App* dlq = app.add_subcommand(
      "dlq", "Lists, shows, redrives and purges the dead letters of a running `lambed serve`");
  declare_dlq(*dlq, dlq_options);
  dlq->footer(kDlqFooter);
  CLI::App* doctor = app.add_subcommand(
      "doctor", "Tells which languages and sandbox mechanisms are there, what is missing, how to get it");
  bool brief = false;
  doctor->add_flag("--brief", brief, "One line: the runtimes that can run");

  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      // Not std::cout: inside node the addon does not see the one that is initialised (node/lib/native.cjs says why).
      std::ostringstream text;
      const int status = app.exit(error, text, text);
      write_standard_output(text.str());
      return status;
    }
    if (const auto unknown = app.remaining(); app.get_subcommands().empty() && !unknown.empty()) {
      return report(fmt::format("there is no command '{}' (see `lambed --help`)", unknown.front()));
    }
    std::string help = "lambed --help";
    for (const CLI::App* command : {static_cast<const CLI::App*>(invoke), static_cast<const CLI::App*>(serve),
                                    static_cast<const CLI::App*>(logs), static_cast<const CLI::App*>(dlq)}) {
      if (command->parsed()) help = "lambed " + command->get_name() + " --help";
    }
    return report(fmt::format("{} (see `{}`)", error.what(), help));
  }
  if (doctor->parsed() && brief) {
    std::string runtimes;
    {
      const ReservedOutput output;  // whatever an interpreter prints while it starts is no part of the answer
      runtimes = probe_runtimes();
    }
    write_standard_output(runtimes + "\n");
    return kExitOk;
  }
  if (doctor->parsed()) return run_doctor();
  if (serve->parsed()) return run_serve(serve_options);
  if (logs->parsed()) return run_logs(logs_options);
  if (dlq->parsed()) return run_dlq(dlq_options);
  return run_invoke(invoke_options);
}

}  // namespace

namespace lambed {

int run_program(int count, const char* const* arguments) {
  try {
    return run(count, arguments);
  } catch (const Error& error) {
    return report(fmt::format("{}: {}", error.name(), error.what()));
  } catch (const std::exception& error) {
    return report(error.what());
  }
}

}  // namespace lambed
