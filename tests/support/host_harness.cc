#include "support/host_harness.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>

namespace lambed::testing {

namespace {

struct Work {
  std::uint64_t token;
  InvocationSpec spec;
};

struct Answer {
  Outcome outcome;
  int completions = 0;
};

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

lambed_slice slice(const std::string& text) { return {text.data(), text.size()}; }

std::string text_of(lambed_slice bytes) {
  return bytes.size == 0 ? std::string() : std::string(bytes.data, bytes.size);
}

Outcome outcome_of(const lambed_outcome& raw) {
  Outcome outcome;
  outcome.kind = static_cast<lambed_outcome_kind>(raw.kind);
  outcome.flags = raw.flags;
  outcome.exit_code = raw.exit_code;
  outcome.term_signal = raw.term_signal;
  outcome.payload = text_of(raw.payload);
  outcome.error_type = text_of(raw.error_type);
  outcome.memory_peak = raw.memory_peak;
  return outcome;
}

}  // namespace

struct EnvironmentRecord {
  const lambed_host_api* api = nullptr;

  // Held while the plugin is called about `environment` and while `closed` forgets it: the pointer is good in between only.
  // Recursive, for a plugin that closes within `abandon`.
  std::recursive_mutex lifetime;
  lambed_environment* environment = nullptr;

  std::mutex mutex;  // guards everything below
  std::condition_variable changed;
  std::deque<Work> queue;
  std::map<std::uint64_t, Work> running;  // `take` lends out slices of these
  std::map<std::uint64_t, Answer> answers;
  std::optional<Outcome> opened;
  std::vector<LogRecord> log;
  std::vector<std::string> notices;
  bool closing = false;
  bool closed = false;
  bool abandoned = false;
  bool nudged = false;

  // A run of mean_ns: one invocation, handed out again and again.
  Work repeated;
  std::uint64_t repeats_left = 0;
  std::uint64_t repeats_done = 0;
  std::uint64_t repeats_failed = 0;
  std::string repeat_failure;
  std::int64_t repeat_began = 0;
  std::int64_t repeat_ended = 0;

  template <typename Condition>
  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, Condition condition) {
    return changed.wait_for(lock, timeout, condition);
  }
};

namespace {

constexpr std::uint64_t kRepeatToken = ~std::uint64_t{0};

// Never destroyed: an abandoned environment may call after main has returned.
struct Process {
  std::mutex mutex;  // guards the members
  std::condition_variable changed;
  std::vector<std::string> notices;
  std::vector<std::unique_ptr<EnvironmentRecord>> records;
  std::uint64_t next_token = 1;
};

Process& process() {
  static Process* const instance = new Process;
  return *instance;
}

EnvironmentRecord& record_of(void* user) { return *static_cast<EnvironmentRecord*>(user); }

void core_opened(void* user, const lambed_outcome* outcome) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (!record.opened) record.opened = outcome_of(*outcome);
  record.changed.notify_all();
}

void lend(const Work& work, lambed_invocation* invocation) {
  const auto timeout_ns = std::chrono::nanoseconds(work.spec.timeout).count();
  invocation->token = work.token;
  invocation->event = slice(work.spec.event);
  invocation->request_id = slice(work.spec.request_id);
  invocation->invoked_function_arn = slice(work.spec.invoked_function_arn);
  invocation->function_version = slice(work.spec.function_version);
  invocation->client_context = slice(work.spec.client_context);
  invocation->cognito_identity = slice(work.spec.cognito_identity);
  invocation->trace_id = slice(work.spec.trace_id);
  invocation->tenant_id = slice(work.spec.tenant_id);
  invocation->deadline = clock_ns(CLOCK_MONOTONIC) + timeout_ns;
  invocation->deadline_epoch_ms = (clock_ns(CLOCK_REALTIME) + timeout_ns) / 1'000'000;
}

lambed_take core_take(void* user, lambed_invocation* invocation) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (record.repeats_left > 0) {
    if (record.repeat_began == 0) record.repeat_began = clock_ns(CLOCK_MONOTONIC);
    --record.repeats_left;
    lend(record.repeated, invocation);
    return LAMBED_TAKE_INVOCATION;
  }
  if (!record.queue.empty()) {
    Work work = std::move(record.queue.front());
    record.queue.pop_front();
    const std::uint64_t token = work.token;
    lend(record.running.emplace(token, std::move(work)).first->second, invocation);
    record.changed.notify_all();
    return LAMBED_TAKE_INVOCATION;
  }
  return record.closing || record.abandoned ? LAMBED_TAKE_CLOSE : LAMBED_TAKE_NOTHING;
}

void core_wait(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::unique_lock lock(record.mutex);
  record.changed.wait(lock, [&record] {
    return record.nudged || record.closing || record.abandoned || record.repeats_left > 0 ||
           !record.queue.empty();
  });
  record.nudged = false;
}

void core_nudge(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  record.nudged = true;
  record.changed.notify_all();
}

void core_complete(void* user, std::uint64_t token, const lambed_outcome* outcome) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  if (token == kRepeatToken) {
    if (outcome->kind != LAMBED_OUTCOME_SUCCESS && record.repeats_failed++ == 0) {
      record.repeat_failure = text_of(outcome->payload);
    }
    ++record.repeats_done;
    if (record.repeats_left == 0) {
      record.repeat_ended = clock_ns(CLOCK_MONOTONIC);
      record.changed.notify_all();
    }
    return;
  }
  Answer& answer = record.answers[token];
  if (answer.completions++ == 0) answer.outcome = outcome_of(*outcome);
  record.changed.notify_all();
}

void core_log(void* user, lambed_stream stream, lambed_slice bytes, std::int64_t realtime_us) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard lock(record.mutex);
  record.log.push_back({stream, text_of(bytes), realtime_us});
  record.changed.notify_all();
}

void core_closed(void* user) {
  EnvironmentRecord& record = record_of(user);
  std::lock_guard alive(record.lifetime);
  record.environment = nullptr;
  std::lock_guard lock(record.mutex);
  record.closed = true;
  record.changed.notify_all();
}

void core_notice(void* user, lambed_slice message) {
  if (user != nullptr) {
    EnvironmentRecord& record = record_of(user);
    std::lock_guard lock(record.mutex);
    record.notices.push_back(text_of(message));
  }
  Process& whole = process();
  std::lock_guard lock(whole.mutex);
  whole.notices.push_back(text_of(message));
  whole.changed.notify_all();
}

std::int64_t core_monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

const lambed_core kCore = {
    sizeof(lambed_core), LAMBED_HOST_ABI, core_opened, core_take,   core_wait,   core_nudge,
    core_complete,       core_log,        nullptr,     core_closed, core_notice, core_monotonic_ns,
};

std::vector<lambed_option> options_of(const Pairs& pairs) {
  std::vector<lambed_option> options;
  for (const auto& [name, value] : pairs) options.push_back({slice(name), slice(value)});
  return options;
}

}  // namespace

std::optional<Outcome> HarnessEnvironment::wait_opened(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  record_->wait_for(lock, timeout, [this] { return record_->opened.has_value(); });
  return record_->opened;
}

const HarnessEnvironment& HarnessEnvironment::expect_opened() const {
  const std::optional<Outcome> outcome = wait_opened();
  if (!outcome) throw std::runtime_error("the environment did not open in time");
  if (!outcome->succeeded()) {
    throw std::runtime_error("init failed, kind " + std::to_string(outcome->kind) + ": " + outcome->payload);
  }
  return *this;
}

std::uint64_t HarnessEnvironment::submit(const InvocationSpec& invocation) const {
  std::uint64_t token = 0;
  {
    std::lock_guard lock(process().mutex);
    token = process().next_token++;
  }
  std::lock_guard lock(record_->mutex);
  record_->queue.push_back({token, invocation});
  record_->changed.notify_all();
  return token;
}

std::uint64_t HarnessEnvironment::submit(const std::string& event) const {
  InvocationSpec invocation;
  invocation.event = event;
  return submit(invocation);
}

bool HarnessEnvironment::wait_taken(std::uint64_t token, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this, token] { return record_->running.count(token) != 0; });
}

std::optional<Outcome> HarnessEnvironment::wait_outcome(std::uint64_t token,
                                                        std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  const bool answered =
      record_->wait_for(lock, timeout, [this, token] { return record_->answers.count(token) != 0; });
  if (!answered) return std::nullopt;
  return record_->answers.at(token).outcome;
}

int HarnessEnvironment::completions(std::uint64_t token) const {
  std::lock_guard lock(record_->mutex);
  const auto found = record_->answers.find(token);
  return found == record_->answers.end() ? 0 : found->second.completions;
}

Outcome HarnessEnvironment::invoke(const InvocationSpec& invocation) const {
  std::optional<Outcome> outcome = wait_outcome(submit(invocation));
  if (!outcome) throw std::runtime_error("no answer in time to " + invocation.event.substr(0, 200));
  return std::move(*outcome);
}

Outcome HarnessEnvironment::invoke(const std::string& event) const {
  InvocationSpec invocation;
  invocation.event = event;
  return invoke(invocation);
}

double HarnessEnvironment::mean_ns(const std::string& event, std::uint64_t count) const {
  std::unique_lock lock(record_->mutex);
  record_->repeated.token = kRepeatToken;
  record_->repeated.spec.event = event;
  record_->repeats_left = count;
  record_->repeats_done = record_->repeats_failed = 0;
  record_->repeat_began = record_->repeat_ended = 0;
  record_->changed.notify_all();
  if (!record_->wait_for(lock, 10 * kPatience, [this, count] { return record_->repeats_done == count; })) {
    throw std::runtime_error("the repeated invocations did not end in time");
  }
  if (record_->repeats_failed > 0)
    throw std::runtime_error("a repeated invocation failed: " + record_->repeat_failure);
  return static_cast<double>(record_->repeat_ended - record_->repeat_began) / static_cast<double>(count);
}

lambed_interrupt HarnessEnvironment::interrupt(std::uint64_t token) const {
  std::lock_guard alive(record_->lifetime);
  if (record_->environment == nullptr) return LAMBED_INTERRUPT_STOPPED;
  return record_->api->interrupt(record_->environment, token);
}

std::optional<Outcome> HarnessEnvironment::interrupt_until_answered(std::uint64_t token,
                                                                    std::chrono::milliseconds timeout) const {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (std::chrono::steady_clock::now() < end) {
    interrupt(token);
    const auto step = std::chrono::milliseconds(50);
    if (std::optional<Outcome> outcome = token == 0 ? wait_opened(step) : wait_outcome(token, step))
      return outcome;
  }
  return std::nullopt;
}

void HarnessEnvironment::abandon() const {
  std::lock_guard alive(record_->lifetime);
  if (record_->environment == nullptr) return;
  {
    std::lock_guard lock(record_->mutex);
    record_->abandoned = true;
  }
  record_->api->abandon(record_->environment);
  record_->changed.notify_all();
}

lambed_usage HarnessEnvironment::usage() const {
  lambed_usage usage{};
  usage.size = sizeof usage;
  std::lock_guard alive(record_->lifetime);
  if (record_->environment != nullptr) record_->api->usage(record_->environment, &usage);
  return usage;
}

void HarnessEnvironment::request_close() const {
  std::lock_guard lock(record_->mutex);
  record_->closing = true;
  record_->changed.notify_all();
}

bool HarnessEnvironment::wait_closed(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this] { return record_->closed; });
}

void HarnessEnvironment::close() const {
  request_close();
  if (!wait_closed()) throw std::runtime_error("the environment did not close in time");
}

std::string HarnessEnvironment::log(lambed_stream stream) const {
  std::lock_guard lock(record_->mutex);
  std::string joined;
  for (const LogRecord& record : record_->log) {
    if (record.stream == stream) joined += record.bytes;
  }
  return joined;
}

std::string HarnessEnvironment::log() const {
  std::lock_guard lock(record_->mutex);
  std::string joined;
  for (const LogRecord& record : record_->log) joined += record.bytes;
  return joined;
}

std::vector<LogRecord> HarnessEnvironment::log_records() const {
  std::lock_guard lock(record_->mutex);
  return record_->log;
}

bool HarnessEnvironment::wait_log(const std::string& text, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(record_->mutex);
  return record_->wait_for(lock, timeout, [this, &text] {
    std::string joined;
    for (const LogRecord& record : record_->log) joined += record.bytes;
    return joined.find(text) != std::string::npos;
  });
}

std::vector<std::string> HarnessEnvironment::notices() const {
  std::lock_guard lock(record_->mutex);
  return record_->notices;
}

HostHarness::HostHarness(const std::string& plugin_path, const Pairs& options, lambed_context context) {
  void* const library =
      dlopen(plugin_path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never dlclosed: hosts cannot be unloaded
  if (library == nullptr) throw std::runtime_error(std::string("cannot load the plugin: ") + dlerror());
  void* const symbol = dlsym(library, LAMBED_HOST_ENTRY);
  if (symbol == nullptr) throw std::runtime_error(plugin_path + " does not export " LAMBED_HOST_ENTRY);
  lambed_host_entry_function entry = nullptr;
  static_assert(sizeof entry == sizeof symbol);
  std::memcpy(&entry, &symbol, sizeof entry);
  api_ = entry(LAMBED_HOST_ABI);
  if (api_ == nullptr)
    throw std::runtime_error(plugin_path + " refuses plugin ABI " + std::to_string(LAMBED_HOST_ABI));
  start(plugin_path, options, context);
}

HostHarness::HostHarness(const lambed_host_api& api, const Pairs& options) : api_(&api) {
  start({}, options, LAMBED_CONTEXT_PROGRAM);
}

void HostHarness::start(const std::string& plugin_path, const Pairs& options, lambed_context context) {
  const std::vector<lambed_option> raw_options = options_of(options);
  lambed_host_options start{};
  start.size = sizeof start;
  start.context = context;
  start.plugin_path = slice(plugin_path);
  start.options = raw_options.data();
  start.option_count = raw_options.size();
  char message[1024] = "";
  if (api_->start(&kCore, &start, message, sizeof message) != 0) {
    throw std::runtime_error(std::string("the host did not start: ") + message);
  }
}

HostHarness::~HostHarness() { stop(); }

std::string HostHarness::plugin(const std::string& file_name) {
  return (std::filesystem::path(LAMBED_PLUGIN_DIR) / file_name).string();
}

HarnessEnvironment HostHarness::open(const EnvironmentSpec& spec) {
  EnvironmentRecord* record = nullptr;
  {
    std::lock_guard lock(process().mutex);
    record = process().records.emplace_back(std::make_unique<EnvironmentRecord>()).get();
  }
  record->api = api_;

  std::vector<lambed_slice> layers;
  for (const std::string& layer : spec.layers) layers.push_back(slice(layer));
  std::vector<lambed_variable> variables;
  for (const auto& [name, value] : spec.variables) variables.push_back({slice(name), slice(value)});
  lambed_environment_options options{};
  options.size = sizeof options;
  options.user = record;
  options.function_name = slice(spec.function_name);
  options.function_version = slice(spec.function_version);
  options.function_id = slice(spec.function_id);
  options.code_id = slice(spec.code_id.empty() ? spec.task_root : spec.code_id);
  options.runtime = slice(spec.runtime);
  options.handler = slice(spec.handler);
  options.task_root = slice(spec.task_root);
  options.layers = layers.data();
  options.layer_count = layers.size();
  options.variables = variables.data();
  options.variable_count = variables.size();
  options.memory_limit = spec.memory_limit;
  options.init_deadline = spec.init_deadline;
  options.log_group = slice(spec.log_group);
  options.log_stream = slice(spec.log_stream);
  options.json_logs = spec.json_logs ? 1 : 0;
  char message[1024] = "";
  lambed_environment* environment = nullptr;
  std::lock_guard alive(record->lifetime);  // a failing init may say `closed` before `open` has returned
  if (api_->open(&options, &environment, message, sizeof message) != 0) {
    throw std::runtime_error(std::string("open failed: ") + message);
  }
  record->environment = environment;
  environments_.push_back(record);
  return HarnessEnvironment(record);
}

void HostHarness::quiesce() {
  if (api_->quiesce != nullptr) api_->quiesce();
}

void HostHarness::stop() {
  if (stopped_) return;
  stopped_ = true;
  for (EnvironmentRecord* record : environments_) {
    const HarnessEnvironment environment(record);
    environment.request_close();
    if (environment.wait_closed(std::chrono::seconds(2))) continue;
    bool abandoned = false;
    {
      std::lock_guard lock(record->mutex);
      abandoned = record->abandoned;
    }
    if (!abandoned) environment.abandon();
  }
  quiesce();
  api_->stop();
}

lambed_host_description HostHarness::describe() const {
  lambed_host_description description{};
  description.size = sizeof description;
  api_->describe(&description);
  return description;
}

std::vector<std::string> HostHarness::notices() {
  std::lock_guard lock(process().mutex);
  return process().notices;
}

bool HostHarness::wait_notice(const std::string& text, std::chrono::milliseconds timeout) {
  std::unique_lock lock(process().mutex);
  return process().changed.wait_for(lock, timeout, [&text] {
    for (const std::string& notice : process().notices) {
      if (notice.find(text) != std::string::npos) return true;
    }
    return false;
  });
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lambed-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a temporary folder " + pattern);
  path_ = pattern;
  std::filesystem::permissions(path_, std::filesystem::perms(0755));  // a worker runs as somebody else
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& relative_path, const std::string& text) const {
  const std::filesystem::path path = std::filesystem::path(path_) / relative_path;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
  return path.string();
}

}  // namespace lambed::testing
