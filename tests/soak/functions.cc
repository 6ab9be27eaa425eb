#include "soak/functions.h"

#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace lambed::soak {
namespace {

using nlohmann::json;

constexpr std::size_t kKinds = 4;
constexpr std::chrono::milliseconds kPause{150};
// Node.js takes a third of a second to start on a busy machine, and each change ends environments.
constexpr std::chrono::milliseconds kPauseInWorkers{500};
// Parses in none of the languages.
constexpr std::string_view kNonsense = "\n)(]\n";

std::string read_source(const Language& language) {
  const std::string path = std::string(LAMBED_SOURCE_DIR) + "/tests/soak/functions/" +
                           std::string(language.name) + "/" + std::string(language.file);
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (text.str().empty()) throw std::runtime_error("cannot read " + path);
  return text.str();
}

std::size_t index_of(const Language& language) {
  return static_cast<std::size_t>(&language - languages().data());
}

bool is_broken(const Function& function, long code) {
  return function.kind == Kind::kBroken && code % 2 == 1;
}

}  // namespace

Functions::Functions(Gateway& gateway) : gateway_(gateway) {
  constexpr std::string_view kSuffixes[kKinds] = {"-steady", "-passing", "-broken", "-slow"};
  for (const Language& language : languages()) {
    sources_.push_back(read_source(language));
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      auto function = std::make_unique<Function>();
      function->name = std::string(language.name) + std::string(kSuffixes[kind]);
      function->language = &language;
      function->kind = static_cast<Kind>(kind);
      functions_.push_back(std::move(function));
      create(*functions_.back());
    }
  }
}

Function& Functions::get(std::size_t language, Kind kind) const {
  return *functions_[language * kKinds + static_cast<std::size_t>(kind)];
}

Before Functions::before(const Function& function) {
  return {function.tag.done(), function.code.done(), function.absence.done()};
}

std::string Functions::source(const Function& function, long code) const {
  std::string text = sources_[index_of(*function.language)];
  const std::string line(function.language->code_line);
  const auto at = text.find(line + "0");
  if (at == std::string::npos) throw std::runtime_error(function.name + " has no line " + line);
  text.replace(at + line.size(), 1, std::to_string(code));
  if (is_broken(function, code)) text += kNonsense;
  return text;
}

void Functions::create(Function& function) {
  gateway_.create_function(
      {.name = function.name,
       .runtime = std::string(function.language->runtime),
       .handler = "app.handler",
       .code = Code::inline_source(source(function, function.code.begun())),
       .timeout_s = function.kind == Kind::kSlow ? 1 : 60,
       .memory_mb = uses_workers() ? 256 : 128,
       .environment = std::map<std::string, std::string>{{"TAG", std::to_string(function.tag.begun())}},
       .isolation = uses_workers() ? Isolation::kProcess : Isolation::kInProcess});
}

void Functions::change(Function& function) {
  const long turn = changes_.fetch_add(1);
  if (function.kind == Kind::kPassing) {
    function.absence.begin();
    gateway_.delete_function(function.name);
    function.tag.begin();
    function.code.begin();
    create(function);
    function.absence.finish();
  } else if (function.kind == Kind::kBroken || turn % 2 == 0) {
    const long code = function.code.begin();
    gateway_.update_function_code(
        {.name = function.name, .code = Code::inline_source(source(function, code))});
  } else {
    const long tag = function.tag.begin();
    gateway_.update_function_configuration(
        {.name = function.name,
         .environment = std::map<std::string, std::string>{{"TAG", std::to_string(tag)}}});
  }
  function.tag.finish();
  function.code.finish();
}

void Functions::run() {
  try {
    for (std::size_t i = 0; !stopping_.load(); ++i) {
      std::this_thread::sleep_for(uses_workers() ? kPauseInWorkers : kPause);
      change(*functions_[i % functions_.size()]);
    }
  } catch (const std::exception& error) {
    problem_ = error.what();
  }
}

void Functions::start_changing() {
  stopping_.store(false);
  thread_ = std::thread([this] { run(); });
}

void Functions::stop_changing() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Functions::delete_all() {
  for (const auto& function : functions_) gateway_.delete_function(function->name);
}

bool Functions::may_be_absent(const Function& function, const Before& before) {
  return before.absence < function.absence.begun();
}

std::string Functions::fault_of_answer(const Function& function, const Before& before,
                                       const InvokeResult& result, const std::string& id) {
  if (result.error) return "refused: " + result.error->message();
  const long newest_code = function.code.begun();
  const json document = json::parse(result.payload, nullptr, false);
  if (!document.is_object()) return "no document: " + result.payload.substr(0, 200);
  if (!result.ok()) {
    for (long code = before.code; code <= newest_code; ++code) {
      if (is_broken(function, code) && document.value("errorType", "") == function.language->syntax_type)
        return {};
    }
    return "an error: " + result.payload.substr(0, 300);
  }
  const long code = document.value("code", -1L);
  const long tag = document.value("tag", -1L);
  if (document.value("id", "") != id) return "the answer to another call: " + result.payload.substr(0, 200);
  if (document.value("language", "") != function.language->name) return "the answer of another language";
  if (code < before.code || code > newest_code || is_broken(function, code)) {
    return "code " + std::to_string(code) + " where " + std::to_string(before.code) + " to " +
           std::to_string(newest_code) + " was there";
  }
  if (tag < before.tag || tag > function.tag.begun()) {
    return "variables " + std::to_string(tag) + " where " + std::to_string(before.tag) + " to " +
           std::to_string(function.tag.begun()) + " were there";
  }
  return {};
}

}  // namespace lambed::soak
