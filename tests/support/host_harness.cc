#include "support/host_harness.h"

#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "support/harness_records.h"

namespace lambed::testing {
namespace {

std::vector<lambed_option> options_of(const Pairs& pairs) {
  std::vector<lambed_option> options;
  for (const auto& [name, value] : pairs) options.push_back({slice(name), slice(value)});
  return options;
}

}  // namespace

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
  if (api_->start(&harness_core(), &start, message, sizeof message) != 0) {
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
    std::lock_guard lock(harness_process().mutex);
    record = harness_process().records.emplace_back(std::make_unique<EnvironmentRecord>()).get();
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
  std::lock_guard lock(harness_process().mutex);
  return harness_process().notices;
}

bool HostHarness::wait_notice(const std::string& text, std::chrono::milliseconds timeout) {
  std::unique_lock lock(harness_process().mutex);
  return harness_process().changed.wait_for(lock, timeout, [&text] {
    for (const std::string& notice : harness_process().notices) {
      if (notice.find(text) != std::string::npos) return true;
    }
    return false;
  });
}

}  // namespace lambed::testing
