// The `lambed` program: parses the command line, runs one command, turns errors into words and an exit status.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "cli/doctor_command.h"
#include "cli/exit_codes.h"
#include "cli/invoke_command.h"
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

int report(std::string_view problem) {
  fmt::print(stderr, "lambed: {}\n", problem);
  return kExitFailed;
}

int run(int count, char** arguments) {
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
  const CLI::App* doctor = app.add_subcommand(
      "doctor", "Tells which languages and sandbox mechanisms are there, what is missing, how to get it");

  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    if (const auto unknown = app.remaining(); app.get_subcommands().empty() && !unknown.empty()) {
      return report(fmt::format("there is no command '{}' (see `lambed --help`)", unknown.front()));
    }
    const std::string help = invoke->parsed() ? "lambed invoke --help" : "lambed --help";
    return report(fmt::format("{} (see `{}`)", error.what(), help));
  }
  if (doctor->parsed()) return run_doctor();
  return run_invoke(invoke_options);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const lambed::Error& error) {
    return report(fmt::format("{}: {}", error.name(), error.what()));
  } catch (const std::exception& error) {
    return report(error.what());
  }
}
