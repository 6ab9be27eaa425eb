#include "together/polyglot.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace lambed::together {
namespace {

struct Language {
  const char* runtime;
  const char* folder;
};

Language traits(const std::string& language) {
  if (language == "python") return {"python3.11", "python"};
  if (language == "nodejs") return {"nodejs20.x", "nodejs"};
  if (language == "ruby") return {"ruby3.2", "ruby"};
  throw std::invalid_argument("no language: " + language);
}

}  // namespace

std::vector<std::string> parse_order(const std::string& text) {
  std::vector<std::string> order;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    traits(word);
    order.push_back(word);
  }
  return order;
}

void expect(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

void await(const std::string& what, const std::function<bool()>& condition,
           std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    expect(std::chrono::steady_clock::now() < until, "waited in vain: " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

GatewayOptions Polyglot::quiet_options() { return {}; }

Polyglot::Polyglot(GatewayOptions options) {
  options.log_sink = log_;
  gateway_ = std::make_unique<Gateway>(options);
}

void Polyglot::create(const std::string& name, const std::string& language, int timeout_s, int memory_mb) {
  const Language known = traits(language);
  gateway_->create_function(
      {.name = name,
       .runtime = known.runtime,
       .handler = "app.handler",
       .code = Code::directory(std::string(LAMBED_SOURCE_DIR) + "/tests/together/functions/" + known.folder),
       .timeout_s = timeout_s,
       .memory_mb = memory_mb});
}

void Polyglot::start(const std::string& language) {
  create(language, language);
  const json answer = call(language, "echo", {{"value", language}});
  expect(answer == language, language + " answered " + answer.dump());
}

std::future<InvokeResult> Polyglot::call_later(const std::string& function, const std::string& deed,
                                               json event) {
  event["do"] = deed;
  return gateway_->invoke_future({.function = function, .payload = event.dump()});
}

json Polyglot::answer_of(std::future<InvokeResult>& future) {
  expect(future.wait_for(std::chrono::seconds(60)) == std::future_status::ready, "no answer came");
  const InvokeResult result = future.get();
  expect(result.ok(), "the function failed: " + result.payload);
  return json::parse(result.payload);
}

json Polyglot::call(const std::string& function, const std::string& deed, json event) {
  auto later = call_later(function, deed, std::move(event));
  try {
    return answer_of(later);
  } catch (const Failure& failure) {
    throw Failure(function + " " + deed + ": " + failure.what());
  }
}

int count_threads() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

long resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  throw Failure("/proc/self/status has no VmRSS");
}

}  // namespace lambed::together
