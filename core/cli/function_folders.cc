#include "cli/function_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include "catalog/folder_archive.h"
#include "cli/exit_codes.h"
#include "cli/function_source.h"
#include "environments/host_registry.h"

namespace lambed::cli {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

// Between two looks; longer where a look takes long, so that watching never costs more than a tenth of a processor.
constexpr auto kPause = 400ms;
constexpr int kPauseFactor = 10;
// So many functions are told of one by one at the start.
constexpr std::size_t kProgressStep = 100;

// IAM's shape; nobody checks more of it.
std::string any_role(const std::string& account) { return "arn:aws:iam::" + account + ":role/lambed"; }

std::string runtime_of(const FunctionSource& source) {
  const auto host = environments::HostRegistry::instance().host_for(source.language, {});
  return runtime_for(source.language, host.value()->interpreter_version());
}

}  // namespace

FunctionFolders::FunctionFolders(api::Api& api, std::string folder) : api_(api), folder_(std::move(folder)) {
  std::error_code error;
  if (!fs::is_directory(folder_, error)) {
    throw CommandError(fmt::format("--functions {}: there is no such folder", folder_));
  }
  look();
  thread_ = std::thread([this] { watch(); });
}

FunctionFolders::~FunctionFolders() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wakes_.notify_all();
  thread_.join();
}

void FunctionFolders::say(const std::string& text) const { fmt::print(stderr, "lambed: {}\n", text); }

void FunctionFolders::look() {
  std::set<std::string> there;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with(".") && it->is_directory(ignored)) there.insert(name);
  }
  if (error) return;  // for the moment; the next look may read it
  const bool is_first = known_.empty();
  for (const std::string& name : there) {
    const auto measured = catalog::measure_folder(folder_ + "/" + name);
    if (!measured.ok()) continue;
    Known& known = known_[name];
    if (known.signature == measured->signature) continue;
    known.signature = measured->signature;
    load(name, known);
    if (is_first && known_.size() % kProgressStep == 0) {
      say(fmt::format("{} of {} functions loaded", known_.size(), there.size()));
    }
  }
  for (auto it = known_.begin(); it != known_.end();) {
    if (there.count(it->first) > 0) {
      ++it;
      continue;
    }
    if (!it->second.function.empty()) {
      static_cast<void>(api_.default_scope().catalog().delete_function(it->second.function));
      say(fmt::format("function {} is gone: its folder is", it->second.function));
    }
    it = known_.erase(it);
  }
  loaded_.store(static_cast<std::size_t>(
      std::count_if(known_.begin(), known_.end(), [](const auto& k) { return !k.second.function.empty(); })));
}

void FunctionFolders::load(const std::string& name, Known& known) {
  catalog::Catalog& catalog = api_.default_scope().catalog();
  const std::string path = folder_ + "/" + name;
  try {
    const FunctionSource source = find_function(path, {}, {});
    const bool exists = catalog.get_function_configuration(source.name).ok();
    if (!exists) {
      CreateFunctionRequest request;
      request.name = source.name;
      request.runtime = runtime_of(source);
      request.handler = source.handler;
      request.code = source.code;
      request.role = any_role(api_.default_scope().account);
      request.isolation = api_.options().isolation;
      catalog.create_function(request).value();
    } else {
      // A handler or language may have changed with the files.
      UpdateConfigurationRequest settings;
      settings.name = source.name;
      settings.runtime = runtime_of(source);
      settings.handler = source.handler;
      static_cast<void>(catalog.settle(source.name));
      catalog.update_function_configuration(settings).value();
      static_cast<void>(catalog.settle(source.name));
      catalog.update_function_code({.name = source.name, .code = source.code}).value();
    }
    static_cast<void>(catalog.settle(source.name));
    if (!known.function.empty() || exists) say(fmt::format("function {} was loaded anew", source.name));
    known.function = source.name;
  } catch (const std::exception& error) {
    say(fmt::format("{} is not loaded: {}", path, error.what()));
  }
}

void FunctionFolders::watch() {
  std::unique_lock lock(mutex_);
  std::chrono::steady_clock::duration took{};
  while (!wakes_.wait_for(lock, std::max<std::chrono::steady_clock::duration>(kPause, took * kPauseFactor),
                          [this] { return ending_; })) {
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    look();
    took = std::chrono::steady_clock::now() - start;
    lock.lock();
  }
}

}  // namespace lambed::cli
