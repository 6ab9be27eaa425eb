#include "worker_host/worker_host.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "environments/environment.h"
#include "environments/process/process_host.h"
#include "environments/sandbox/enforcement.h"
#include "telemetry/platform_lines.h"

namespace lambed::testing {
namespace {

using environments::Environment;

constexpr std::uint64_t kMegabyte = 1 << 20;

const lambed_core* g_core = nullptr;
environments::Host* g_host = nullptr;

std::string text_of(lambed_slice s) { return s.size == 0 ? std::string() : std::string(s.data, s.size); }
lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }

// Every layer of the sandbox but the last has one.
bool has_own_root() {
  static const bool has = [] {
    const std::vector<sandbox::LayerReport> layers = sandbox::try_layers();
    return std::any_of(layers.begin(), layers.end(), [](const sandbox::LayerReport& report) {
      return report.available && report.layer != sandbox::Layer::kBare;
    });
  }();
  return has;
}

// What the handler has written, to the core of the test; Lambda's own lines are the gateway's.
class FunctionLog : public LogSink {
 public:
  explicit FunctionLog(void* user) : user_(user) {}
  void write(const LogRecord& record) override {
    lambed_stream stream = LAMBED_STREAM_LOG;
    switch (record.kind) {
      case LogKind::kFunctionStdout:
        stream = LAMBED_STREAM_STDOUT;
        break;
      case LogKind::kFunctionStderr:
        stream = LAMBED_STREAM_STDERR;
        break;
      case LogKind::kFunctionLog:
        break;
      case LogKind::kNotice:
        g_core->notice(user_, slice(record.text));
        return;
      default:
        return;
    }
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(record.time.time_since_epoch());
    g_core->log(user_, stream, slice(record.text), time.count());
  }

 private:
  void* const user_;
};

// Says what a pool knows by itself: nothing runs again in an environment whose process is gone.
lambed_outcome with_discard(lambed_outcome outcome) {
  if (outcome.kind == LAMBED_OUTCOME_EXITED || outcome.kind == LAMBED_OUTCOME_OUT_OF_MEMORY ||
      outcome.kind == LAMBED_OUTCOME_INTERRUPTED)
    outcome.flags |= LAMBED_OUTCOME_DISCARD;
  return outcome;
}

// Passes on to the core of the test what a pool would decide.
class Owner : public environments::EnvironmentOwner {
 public:
  explicit Owner(void* user) : user_(user) {}
  void opened(Environment& /*environment*/, const lambed_outcome& outcome) override {
    const lambed_outcome whole = with_discard(outcome);
    g_core->opened(user_, &whole);
  }
  lambed_take take(Environment& environment, lambed_invocation& invocation) override {
    const lambed_take taken = g_core->take(user_, &invocation);
    if (taken == LAMBED_TAKE_INVOCATION) {
      environment.log().begin(text_of(invocation.request_id), false);
      environment.wants_tail = true;  // so that what children have written is there with the answer
    }
    return taken;
  }
  bool wait(Environment& /*environment*/, Nanos /*timeout*/) override {
    g_core->wait(user_);
    return true;
  }
  void complete(Environment& environment, std::uint64_t token, const lambed_outcome& outcome) override {
    environment.log().end({});
    const lambed_outcome whole = with_discard(outcome);
    g_core->complete(user_, token, &whole);
  }
  void closed(Environment& environment) override;
  // The next invocation says how it was lost.
  void lost(Environment& /*environment*/) override {}
  bool give_back(Environment& /*environment*/, std::uint64_t /*token*/) override { return false; }

 private:
  void* const user_;
};

struct Environments {
  std::mutex mutex;  // guards open
  std::map<Environment*, std::shared_ptr<Environment>> open;
};

Environments& environments_here() {
  static auto* const all = new Environments();
  return *all;
}

void Owner::closed(Environment& environment) {
  g_core->closed(user_);
  std::shared_ptr<Environment> last;  // goes after the lock: it owns this object
  const std::lock_guard lock(environments_here().mutex);
  auto node = environments_here().open.extract(&environment);
  if (!node.empty()) last = std::move(node.mapped());
}

Environment& of(lambed_environment* handle) { return *reinterpret_cast<Environment*>(handle); }

int failed(const Error& error, char* message, std::size_t size) {
  std::snprintf(message, size, "%s", error.message().c_str());
  return 1;
}

int start(const lambed_core* core, const lambed_host_options* options, char* message, std::size_t size) {
  g_core = core;
  std::string language;
  environments::HostOptions for_plugin;
  for (std::size_t i = 0; i < options->option_count; ++i) {
    const auto& [name, value] = options->options[i];
    if (text_of(name) == "language") {
      language = text_of(value);
    } else {
      for_plugin[text_of(name)] = text_of(value);
    }
  }
  has_own_root();  // while this process has one thread
  environments::HostRegistry::instance().add_folder(LAMBED_PLUGIN_DIR);
  // A language without a version: the interpreter is what the plugin chooses or the options name, as in the other kind of run.
  const auto host = process::process_host_for(language, for_plugin, 0, false);
  if (!host.ok()) return failed(host.error(), message, size);
  g_host = *host;
  return 0;
}

int open(const lambed_environment_options* options, lambed_environment** handle, char* message,
         std::size_t size) {
  environments::EnvironmentSpec spec;
  spec.function_name = text_of(options->function_name);
  spec.function_version = text_of(options->function_version);
  spec.function_id = text_of(options->function_id);
  spec.code_id = text_of(options->code_id);
  spec.runtime = text_of(options->runtime);
  spec.handler = text_of(options->handler);
  spec.task_root = text_of(options->task_root);
  for (std::size_t i = 0; i < options->layer_count; ++i) spec.layers.push_back(text_of(options->layers[i]));
  for (std::size_t i = 0; i < options->variable_count; ++i) {
    spec.variables.emplace_back(text_of(options->variables[i].name), text_of(options->variables[i].value));
  }
  spec.memory_limit = options->memory_limit;
  spec.log_group = text_of(options->log_group);
  spec.log_stream = text_of(options->log_stream);
  spec.json_logs = options->json_logs != 0;
  spec.cores = 2;
  spec.tmp_bytes = 64 * kMegabyte;
  spec.max_event = 7 * kMegabyte;
  spec.max_answer = 7 * kMegabyte;
  void* const user = options->user;
  const auto environment = std::make_shared<Environment>(
      std::make_shared<Owner>(user), *g_host, std::move(spec), std::make_shared<FunctionLog>(user));
  {
    const std::lock_guard lock(environments_here().mutex);
    environments_here().open.emplace(environment.get(), environment);
  }
  *handle = reinterpret_cast<lambed_environment*>(environment.get());
  if (const auto opened = environment->open(options->init_deadline); !opened.ok()) {
    const std::lock_guard lock(environments_here().mutex);
    environments_here().open.erase(environment.get());
    return failed(opened.error(), message, size);
  }
  return 0;
}

void describe(lambed_host_description* description) {
  static std::string version;
  version = g_host->interpreter_version();
  description->language = slice(g_host->language());
  description->interpreter_version = slice(version);
}

}  // namespace

const lambed_host_api& worker_host() {
  static const lambed_host_api kApi = [] {
    lambed_host_api api{};
    api.size = sizeof api;
    api.abi = LAMBED_HOST_ABI;
    api.describe = describe;
    api.start = start;
    api.open = open;
    api.interrupt = [](lambed_environment* e, std::uint64_t token) { return of(e).interrupt(token); };
    api.abandon = [](lambed_environment* e) { of(e).abandon(); };
    api.usage = [](lambed_environment* e, lambed_usage* usage) {
      of(e).measure();
      usage->memory_peak = of(e).memory_peak;
    };
    api.stop = [] {};
    return api;
  }();
  return kApi;
}

std::string seen_by_handlers(const std::string& task_root) {
  return is_isolated() && has_own_root() ? "/var/task" : task_root;
}

bool is_isolated() {
  const char* const isolation = std::getenv("LAMBED_TEST_ISOLATION");
  return isolation != nullptr && std::string_view(isolation) == "process";
}

}  // namespace lambed::testing
