#include "cli/dlq_command.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/exit_codes.h"
#include "cli/listen_address.h"
#include "cli/standard_streams.h"
#include "http/client.h"

namespace lambed::cli {
namespace {

using nlohmann::json;

// A redrive waits for the queue's disk.
constexpr auto kPatience = std::chrono::minutes(10);
constexpr std::size_t kPage = 1000;
constexpr char kPath[] = "/_lambed/dead-letters";

json ask(const DlqOptions& options, const std::string& method, const std::string& target,
         const json& body = {}) {
  const ListenAddress address = loopback_address(options.server);
  http::Request request;
  request.method = method;
  request.target = target;
  if (!body.is_null()) request.body = body.dump();
  http::Response answer;
  try {
    http::Client client(address.host, address.port, kPatience);
    answer = client.send(request);
  } catch (const std::system_error& error) {
    throw CommandError(fmt::format("{}: {}; does `lambed serve` run there?", options.server, error.what()));
  }
  json document = json::parse(answer.body, nullptr, false);
  if (answer.status == 200 && document.is_object()) return document;
  for (const char* member : {"Message", "message"}) {
    if (document.is_object() && document.contains(member) && document[member].is_string())
      throw CommandError(document[member].get<std::string>());
  }
  throw CommandError(fmt::format("{}: the server has answered {}; is it a `lambed serve` of this version?",
                                 options.server, answer.status));
}

std::string text_of(const json& letter, const char* member) {
  const auto found = letter.find(member);
  if (found == letter.end()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

// An error's message may hold anything: one line a letter.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

std::string row(const json& letter) {
  return fmt::format("{}  {}  {:<10}  {:<22}  {}  {}\n", text_of(letter, "Id"), text_of(letter, "Ended"),
                     text_of(letter, "Kind"), text_of(letter, "Condition"), text_of(letter, "FunctionName"),
                     one_line(text_of(letter, "ErrorMessage")));
}

int run_list(const DlqOptions& options) {
  std::size_t left = options.limit > 0 ? static_cast<std::size_t>(options.limit) : SIZE_MAX;
  std::size_t shown = 0;
  std::string after;
  while (left > 0) {
    std::string target = fmt::format("{}?limit={}", kPath, std::min(left, kPage));
    if (!options.function.empty()) target += "&function=" + http::percent_encoded(options.function);
    if (!after.empty()) target += "&after=" + after;
    const json page = ask(options, "GET", target);
    std::string text;
    for (const json& letter : page.at("DeadLetters")) {
      if (!options.json && shown == 0)
        text += fmt::format("{:<20}  {:<24}  {:<10}  {:<22}  {}  {}\n", "ID", "ENDED", "KIND", "CONDITION",
                            "FUNCTION", "ERROR");
      text += options.json ? letter.dump() + "\n" : row(letter);
      ++shown;
    }
    write_standard_output(text);
    left -= std::min(left, page.at("DeadLetters").size());
    if (!page.contains("Next")) break;
    after = page.at("Next").get<std::string>();
  }
  if (shown == 0 && !options.json) fmt::print(stderr, "lambed: there are no dead letters\n");
  return kExitOk;
}

int run_show(const DlqOptions& options) {
  const json letter =
      ask(options, "GET", fmt::format("{}/{}", kPath, http::percent_encoded(options.ids.front())));
  write_standard_output(letter.dump(2) + "\n");
  return kExitOk;
}

json selection_of(const DlqOptions& options) {
  const int ways = (options.ids.empty() ? 0 : 1) + (options.function.empty() ? 0 : 1) + (options.all ? 1 : 0);
  if (ways != 1) throw CommandError("say which dead letters: their IDs, --function NAME or --all");
  if (!options.ids.empty()) return {{"Ids", options.ids}};
  if (!options.function.empty()) return {{"Function", options.function}};
  return {{"All", true}};
}

int run_redrive(const DlqOptions& options) {
  const json done = ask(options, "POST", std::string(kPath) + "/redrive", selection_of(options));
  write_standard_output(fmt::format("{} redriven\n", done.at("Redriven").get<std::size_t>()));
  const auto failed = done.at("Failed").get<std::size_t>();
  for (const json& failure : done.at("Failures"))
    fmt::print(stderr, "lambed: {}: {}\n", text_of(failure, "Id"), one_line(text_of(failure, "Problem")));
  if (failed > done.at("Failures").size())
    fmt::print(stderr, "lambed: and {} more\n", failed - done.at("Failures").size());
  return failed == 0 ? kExitOk : kExitFunctionError;
}

int run_purge(const DlqOptions& options) {
  const json done = ask(options, "POST", std::string(kPath) + "/purge", selection_of(options));
  write_standard_output(fmt::format("{} purged\n", done.at("Purged").get<std::size_t>()));
  return kExitOk;
}

void declare_server(CLI::App& command, DlqOptions& options) {
  command.add_option("--server", options.server, "Where `lambed serve` listens (127.0.0.1:9001)")
      ->type_name("ADDRESS:PORT");
}

void declare_selection(CLI::App& command, DlqOptions& options) {
  command.add_option("ID", options.ids, "Dead letters, as `lambed dlq list` names them")->type_name(" ");
  command.add_option("--function", options.function, "All of this function")->type_name("NAME");
  command.add_flag("--all", options.all, "All there are");
  declare_server(command, options);
}

}  // namespace

void declare_dlq(CLI::App& command, DlqOptions& options) {
  command.require_subcommand(1);
  options.list = command.add_subcommand("list", "Lists them, oldest first");
  options.list->add_option("--function", options.function, "Only of this function")->type_name("NAME");
  options.list->add_option("--limit", options.limit, "At most so many")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000));
  options.list->add_flag("--json", options.json, "A line of JSON for each");
  declare_server(*options.list, options);
  options.show = command.add_subcommand("show", "Prints one with its event and its response, as JSON");
  options.show->add_option("ID", options.ids, "As `lambed dlq list` names it")
      ->required()
      ->expected(1)
      ->type_name(" ");
  declare_server(*options.show, options);
  options.redrive =
      command.add_subcommand("redrive", "Sends their events again and takes out what was accepted");
  declare_selection(*options.redrive, options);
  options.purge = command.add_subcommand("purge", "Throws them away");
  declare_selection(*options.purge, options);
}

int run_dlq(const DlqOptions& options) {
  if (options.list->parsed()) return run_list(options);
  if (options.show->parsed()) return run_show(options);
  return options.redrive->parsed() ? run_redrive(options) : run_purge(options);
}

}  // namespace lambed::cli
