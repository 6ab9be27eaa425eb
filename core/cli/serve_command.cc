#include "cli/serve_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "api/api.h"
#include "cli/ending_signals.h"
#include "cli/exit_codes.h"
#include "cli/function_folders.h"
#include "cli/listen_address.h"
#include "cli/runtime_probe.h"
#include "cli/serve_isolation.h"
#include "gateway/durable_storage.h"
#include "lambed/telemetry.h"
#include "model/networks.h"

namespace lambed::cli {
namespace {

using namespace std::chrono_literals;

constexpr rlim_t kDescriptors = 8192;

// A program of many threads: left alone, glibc's arenas keep several times of what is in use (docs/isolation.md).
void keep_memory_small() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, static_cast<int>(2 * std::max(1u, std::thread::hardware_concurrency())));
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}

// A connection is a descriptor. Never lowers the limit, and takes what may be had.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) return;
  limit.rlim_cur = std::min(kDescriptors, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::shared_ptr<api::AccessLog> access_log_of(const std::string& where) {
  if (where == "off") return nullptr;
  if (where == "-") return std::make_shared<api::AccessLog>(STDERR_FILENO);
  const int descriptor = ::open(where.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw CommandError(fmt::format("--access-log {}: {}", where, std::strerror(errno)));
  return std::make_shared<api::AccessLog>(descriptor);
}

// "60s", "500ms", "2m", and a bare number of seconds.
std::chrono::milliseconds duration_of(const char* option, const std::string& text) {
  const auto digits = text.find_first_not_of("0123456789");
  const std::string number = text.substr(0, digits);
  const std::string unit = digits == std::string::npos ? "s" : text.substr(digits);
  const long long factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
  constexpr long long kMost = 21'600'000;  // an event is not kept longer
  if (number.empty() || number.size() > 8 || factor == 0 || std::stoll(number) * factor > kMost) {
    throw CommandError(fmt::format("{} {}: write it as 500ms, 60s or 2m, six hours at most", option, text));
  }
  return std::chrono::milliseconds(std::stoll(number) * factor);
}

std::vector<Vpc> networks_in(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw CommandError(fmt::format("--networks {}: {}", path, std::strerror(errno)));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto vpcs = model::vpcs_from_json(text);
  if (!vpcs.ok()) throw CommandError(fmt::format("--networks {}: {}", path, vpcs.error().message()));
  if (const auto checked = model::Networks::of(*vpcs); !checked.ok())
    throw CommandError(fmt::format("--networks {}: {}", path, checked.error().message()));
  return std::move(*vpcs);
}

api::ApiOptions api_options(const ServeOptions& options) {
  api::ApiOptions api;
  api.gateway.quotas = options.quotas == "current" ? Quotas::current() : Quotas::classic();
  api.gateway.region = options.region;
  api.gateway.account = options.account;
  api.gateway.async_retry_base = duration_of("--async-retry-base", options.async_retry_base);
  api.gateway.async_close_wait = std::chrono::milliseconds(0);  // end_events has waited
  api.gateway.aws_endpoint_url = options.aws_endpoint_url;
  api.hosts = options.allow_hosts;
  api.strict_runtimes = options.strict_runtimes;
  api.isolation = options.isolation == "process" ? Isolation::kProcess : Isolation::kInProcess;
  api.gateway.require_strict_isolation = options.require_isolation == "strict";
  api.gateway.allow_host_loopback = options.allow_host_loopback;
  if (!options.networks.empty()) api.gateway.networks = networks_in(options.networks);
  api.gateway.worker_stock = options.worker_stock;
  if (!options.quiet) api.log_sink = make_stderr_sink();
  api.access_log = access_log_of(options.access_log);
  return api;
}

void check(const ServeOptions& options) {
  for (const auto& [given, name] : {std::pair(options.allow_host_loopback, "--allow-host-loopback"),
                                    std::pair(!options.networks.empty(), "--networks")}) {
    if (given && options.isolation != "process")
      throw CommandError(fmt::format("{}: goes with --isolation process", name));
  }
  if (options.require_isolation == "strict" && options.isolation != "process")
    throw CommandError("--require-isolation strict: goes with --isolation process");
  if (const std::string& url = options.aws_endpoint_url;
      !url.empty() && !url.starts_with("http://") && !url.starts_with("https://")) {
    throw CommandError(
        fmt::format("--aws-endpoint-url {}: write it as http://HOST:PORT or https://HOST", url));
  }
  const bool is_account =
      options.account.size() == 12 && options.account.find_first_not_of("0123456789") == std::string::npos;
  if (!is_account) throw CommandError(fmt::format("--account {}: an account is 12 digits", options.account));
}

std::string welcome(const ServeOptions& options, const std::string& isolation, std::uint16_t port,
                    const ListenAddress& address, std::size_t functions, bool has_functions) {
  const std::string url = fmt::format("http://{}:{}", address.shown_host(), port);
  std::string text = fmt::format("lambed {} serves the Lambda API at {}\n", LAMBED_VERSION, url);
  text += fmt::format("  account    {} in {}; another where a request's signature names one\n",
                      options.account, options.region);
  text += "  runtimes   " + installed_runtimes() + "\n";
  text += isolation;
  text +=
      "  access     signatures are not verified: who reaches this port can upload code, so it listens on "
      "this "
      "machine only\n";
  text += options.data.empty() ? std::string(
                                     "  storage    in memory: functions and waiting events are gone when "
                                     "this ends (--data DIR keeps them)\n")
                               : fmt::format("  storage    {}\n", options.data);
  if (has_functions)
    text += fmt::format("  functions  {} from {}, watched for changes\n", functions, options.functions);
  text += "Try\n";
  text += fmt::format("  curl {}/health\n", url);
  text += fmt::format("  aws --endpoint-url {} lambda list-functions\n", url);
  text += fmt::format("  curl -d '{{\"name\":\"Ada\"}}' {}/2015-03-31/functions/NAME/invocations\n", url);
  return text;
}

void wait_for_signal(const EndingSignals& signals) {
  pollfd end{signals.descriptor(), POLLIN, 0};
  while (signals.received() == 0) ::poll(&end, 1, -1);
}

}  // namespace

void declare_serve(CLI::App& command, ServeOptions& options) {
  command
      .add_option("--listen", options.listen,
                  "Address and port; this machine's own only (127.0.0.1:9001; port 0: any)")
      ->type_name("ADDRESS:PORT");
  command
      .add_option("--data", options.data,
                  "Keeps functions and their code in this folder (without it: in memory)")
      ->type_name("DIR");
  command
      .add_option("--functions", options.functions,
                  "Loads every folder in DIR as a function, and again when it changes")
      ->type_name("DIR");
  command.add_option("--region", options.region, "For requests without a signature (us-east-1)")
      ->type_name("REGION");
  command
      .add_option("--account", options.account, "For requests whose access key is no account (123456789012)")
      ->type_name("ACCOUNT");
  command
      .add_option("--quotas", options.quotas,
                  "classic (the default) or current: which of Lambda's quota tables holds")
      ->type_name("SET")
      ->check(CLI::IsMember({"classic", "current"}));
  command
      .add_option("--isolation", options.isolation,
                  "Of functions that are created here: process (the default), a sandboxed process for each "
                  "environment, or in_process, inside the server")
      ->type_name("KIND")
      ->check(CLI::IsMember({"in_process", "process"}));
  command
      .add_option(
          "--require-isolation", options.require_isolation,
          "strict: with --isolation process, runs nothing unless the sandbox enforces every limit; any "
          "(the default): takes the best there is")
      ->type_name("KIND")
      ->check(CLI::IsMember({"any", "strict"}));
  command.add_flag(
      "--allow-host-loopback", options.allow_host_loopback,
      "With --isolation process: functions may reach what listens on this machine (refused otherwise)");
  command
      .add_option("--networks", options.networks,
                  "With --isolation process: the VPCs, subnets and security groups that VpcConfig may name")
      ->type_name("FILE");
  command
      .add_option("--worker-stock", options.worker_stock,
                  "With --isolation process: workers of each language that wait ready for the next cold "
                  "start (2); 0: none")
      ->type_name("N")
      ->check(CLI::Range(0, 100));
  command
      .add_option("--auth", options.auth,
                  "none (the default, and all there is yet): signatures are not verified")
      ->type_name("KIND")
      ->check(CLI::IsMember({"none"}));
  command
      .add_option("--aws-endpoint-url", options.aws_endpoint_url,
                  "Where SQS, SNS, EventBridge and S3 are, which dead letters and records go to "
                  "(AWS_ENDPOINT_URL, else AWS)")
      ->type_name("URL");
  command
      .add_option(
          "--async-retry-base", options.async_retry_base,
          "How long after a function error an event is tried again; twice as long after the next (60s)")
      ->type_name("TIME");
  command.add_flag("--strict-runtimes", options.strict_runtimes,
                   "Refuses a runtime whose version is not the installed interpreter's");
  command
      .add_option("--access-log", options.access_log,
                  "One line of JSON for each request: a file, - for standard error, off (the default)")
      ->type_name("FILE");
  command.add_flag("--quiet", options.quiet,
                   "Keeps the functions' logs off standard error (`lambed logs` has them)");
  command
      .add_option("--allow-host", options.allow_hosts,
                  "One more name that requests may call this server by; may be repeated")
      ->type_name("NAME")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command.add_option("--loops", options.loops, "Event loops (half of the processors, at most 4)")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  command.add_option("--drain", options.drain_s, "Seconds that requests under way get after SIGTERM (10)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 3600));
}

int run_serve(const ServeOptions& options) {
  check(options);
  const ListenAddress address = loopback_address(options.listen);
  const std::string isolation = isolation_of(options);
  EndingSignals signals;
  raise_descriptor_limit();
  keep_memory_small();

  // First of all: it outlives whatever uses it.
  std::optional<gateway::DurableStorage> storage;
  api::ApiOptions api_settings = api_options(options);
  if (!options.data.empty()) {
    try {
      api_settings.storage = storage.emplace(options.data).storage();
      if (const std::string trouble = api_settings.storage.events->trouble(); !trouble.empty()) {
        fmt::print(stderr, "lambed: asynchronous invocations are refused, everything else is served: {}\n",
                   trouble);
      }
    } catch (const std::runtime_error& error) {
      throw CommandError(fmt::format("--data {}", error.what()));
    }
  }
  api::Api api(std::move(api_settings));
  api.default_scope();
  http::ServerOptions http;
  http.host = address.host;
  http.port = address.port;
  http.loops = options.loops > 0
                   ? options.loops
                   : std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 4);
  // Before anybody can ask for them.
  std::optional<FunctionFolders> folders;
  if (!options.functions.empty()) folders.emplace(api, options.functions);
  std::optional<http::Server> server;
  try {
    server.emplace(http, api);
  } catch (const std::system_error& error) {
    throw CommandError(fmt::format("--listen {}: {}", options.listen, error.what()));
  }
  api.set_server(&*server);
  fmt::print(stderr, "{}",
             welcome(options, isolation, server->port(), address, folders ? folders->loaded() : 0,
                     folders.has_value()));
  std::fflush(stderr);

  wait_for_signal(signals);
  fmt::print(stderr, "lambed: ending; requests under way get {} s\n", options.drain_s);
  folders.reset();
  api.begin_drain();
  const bool all_gone = server->drain(std::chrono::seconds(options.drain_s));
  if (!all_gone) fmt::print(stderr, "lambed: some requests were not done in time\n");
  api.set_server(nullptr);
  server.reset();
  api.end_events(std::chrono::seconds(options.drain_s));
  if (api.abandoned_environments() > 0) {
    // A handler that cannot be stopped still runs in its interpreter: nothing may be finalised under it.
    std::fflush(nullptr);
    ::_exit(kExitOk);
  }
  return kExitOk;
}

}  // namespace lambed::cli
