#include "cli/invoke_command.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <cstdio>
#include <future>
#include <memory>
#include <thread>

#include "cli/ending_signals.h"
#include "cli/exit_codes.h"
#include "cli/function_source.h"
#include "cli/source_tree.h"
#include "cli/standard_streams.h"
#include "environments/host_registry.h"
#include "lambed/gateway.h"
#include "model/configuration.h"

namespace lambed::cli {
namespace {

using namespace std::chrono_literals;

// A signal must end the program within two seconds, so closing gets less.
constexpr auto kCloseAfterSignal = 1500ms;
constexpr auto kCloseGrace = 1000ms;

std::map<std::string, std::string> variables_of(const std::vector<std::string>& words) {
  std::map<std::string, std::string> variables;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw CommandError(fmt::format("--env {}: write it as KEY=VALUE", word));
    }
    if (!model::is_variable_name(std::string_view(word).substr(0, equals))) {
      throw CommandError(fmt::format(
          "--env {}: a name has two or more letters, digits and underscores and begins with a letter", word));
    }
    variables[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return variables;
}

struct Event {
  std::string text;
  std::string origin;  // for messages about it
};

Event event_of(const InvokeOptions& options) {
  const int given =
      (options.event ? 1 : 0) + (options.event_file.empty() ? 0 : 1) + (options.input.empty() ? 0 : 1);
  if (given > 1)
    throw CommandError("give the event once: by --event, by --event-file or by - for standard input");
  if (options.event) return {*options.event, "--event"};
  if (!options.event_file.empty()) return {read_file(options.event_file), options.event_file};
  if (options.input == "-") return {read_standard_input(), "standard input"};
  if (!options.input.empty()) {
    throw CommandError(fmt::format("{}: one PATH is enough; the event comes from --event, --event-file or -",
                                   options.input));
  }
  return {"{}", "the event"};
}

std::string installed_runtime(const std::string& language) {
  const environments::Host* host = environments::HostRegistry::instance().host_for(language, {}).value();
  return runtime_for(language, host->interpreter_version());
}

// The answer of one invocation, as something to poll for beside the signals.
class PendingResult {
 public:
  PendingResult() : done_(::eventfd(0, EFD_CLOEXEC)) {}
  ~PendingResult() { ::close(done_); }
  PendingResult(const PendingResult&) = delete;
  PendingResult& operator=(const PendingResult&) = delete;

  void set(InvokeResult result) {
    result_ = std::move(result);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(done_, &one, sizeof one);
  }
  int descriptor() const { return done_; }
  // Only after the descriptor has become readable.
  InvokeResult& get() { return result_; }

 private:
  const int done_;
  InvokeResult result_;
};

// Closes the gateway, but does not wait for it longer than a person at a terminal would; then ends by the
// signal.
[[noreturn]] void close_and_end(const std::shared_ptr<Gateway>& gateway, int signal) {
  auto closed = std::make_shared<std::promise<void>>();
  std::future<void> end = closed->get_future();
  std::thread([gateway, closed] {
    gateway->close();
    closed->set_value();
  }).detach();  // a handler that cannot be stopped ends with the process
  end.wait_for(kCloseAfterSignal);
  end_by(signal);
}

GatewayOptions gateway_options(const InvokeOptions& options) {
  GatewayOptions gateway;
  gateway.quotas = options.quotas == "current" ? Quotas::current() : Quotas::classic();
  gateway.log_sink = make_stderr_sink();
  gateway.close_grace = kCloseGrace;
  gateway.interrupt_grace = kCloseGrace;
  gateway.worker_stock = 0;  // nobody comes after
  return gateway;
}

CreateFunctionRequest function_request(const InvokeOptions& options) {
  FunctionSource source = find_function(options.path, options.runtime, options.handler);
  CreateFunctionRequest request;
  request.name = source.name;
  request.runtime = options.runtime;
  // A language without a version ("python") means the installed one too.
  if (options.runtime.empty() || options.runtime == source.language)
    request.runtime = installed_runtime(source.language);
  request.handler = source.handler;
  request.code = std::move(source.code);
  request.timeout_s = options.timeout_s;
  request.memory_mb = options.memory_mb;
  if (options.isolation == "process") request.isolation = Isolation::kProcess;
  if (!options.variables.empty()) request.environment = variables_of(options.variables);
  return request;
}

}  // namespace

void declare_invoke(CLI::App& command, InvokeOptions& options) {
  command.add_option("PATH", options.path, "The function: a folder, a .zip or one source file")
      ->required()
      ->type_name(" ");
  command.add_option("INPUT", options.input, "- reads the event from standard input")->type_name(" ");
  command.add_option("--event", options.event, "The event, as JSON (without any event: {})")
      ->type_name("JSON");
  command.add_option("--event-file", options.event_file, "A file with the event")->type_name("FILE");
  command
      .add_option("--runtime", options.runtime,
                  "Lambda runtime, like python3.12, nodejs20.x, ruby3.3 (guessed from the files)")
      ->type_name("RUNTIME");
  command.add_option("--handler", options.handler, "FILE.FUNCTION (guessed from the files)")
      ->type_name("HANDLER");
  command.add_option("--timeout", options.timeout_s, "Limit in whole seconds, 1-900 (3)")
      ->type_name("SECONDS");
  command.add_option("--memory", options.memory_mb, "Memory of the function in MB (128)")->type_name("MB");
  command.add_option("--env", options.variables, "An environment variable of the function; may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  command
      .add_option("--isolation", options.isolation,
                  "in_process: an interpreter inside this process (the default); process: a "
                  "sandboxed process of its own")
      ->type_name("KIND")
      ->check(CLI::IsMember({"in_process", "process"}));
  command
      .add_option("--quotas", options.quotas,
                  "classic (the default) or current: which of Lambda's quota tables holds")
      ->type_name("SET")
      ->check(CLI::IsMember({"classic", "current"}));
}

int run_invoke(const InvokeOptions& options) {
  EndingSignals signals;
  const Event event = event_of(options);
  const ReservedOutput output;
  const auto gateway = std::make_shared<Gateway>(gateway_options(options));
  CreateFunctionRequest function = function_request(options);
  const std::string name = gateway->create_function(std::move(function)).function_name;

  // Shared: after a signal this function never returns, and the answer may still come.
  const auto pending = std::make_shared<PendingResult>();
  gateway->invoke({.function = name, .payload = event.text},
                  [pending](InvokeResult result) { pending->set(std::move(result)); });
  pollfd ends[2] = {{pending->descriptor(), POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
  while (signals.received() == 0 && (ends[0].revents & POLLIN) == 0) ::poll(ends, 2, -1);
  if (const int signal = signals.received(); signal != 0) close_and_end(gateway, signal);

  InvokeResult& result = pending->get();
  if (result.error) {
    if (result.error->code() == ErrorCode::InvalidRequestContentException) {
      throw CommandError(fmt::format("{}: {}", event.origin, result.error->what()));
    }
    throw *result.error;
  }
  if (!result.binary) result.payload += '\n';
  output.write(result.payload);
  const int status = result.ok() ? kExitOk : kExitFunctionError;

  gateway->close();
  if (const int signal = signals.received(); signal != 0) end_by(signal);
  if (gateway->status().abandoned > 0) {
    // A handler that cannot be stopped still runs in its interpreter: nothing may be finalised under it.
    std::fflush(nullptr);
    ::_exit(status);
  }
  return status;
}

}  // namespace lambed::cli
