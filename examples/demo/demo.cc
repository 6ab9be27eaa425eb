// Runs every example of examples.json through one gateway and prints what came of it.
//
//   lambed_demo [--require-all] FOLDER        FOLDER holds examples.json
//
// Exit status: 0 when every result equals its expected.json (and, with --require-all, no language was
// missing), 1 when one does not, 2 when the examples cannot be read. Uses the public headers only.
#include <fmt/format.h>
#include <lambed/gateway.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kResultColumns = 44;

struct Language {
  std::string interpreter;  // "3.11.2"
  std::string runtime;      // "python3.11"
  std::string problem;      // empty: it can be used
};

struct Outcome {
  std::string payload;
  bool as_expected = false;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  return {std::istreambuf_iterator<char>(file), {}};
}

// Lambda names Node.js runtimes by their major version and the others by major and minor.
std::string runtime_of(const std::string& language, const std::string& version) {
  const std::size_t major_end = version.find('.');
  if (language == "nodejs") return language + version.substr(0, major_end) + ".x";
  if (language == "ruby" && version < "3.2") return "ruby3.2";  // the oldest that Lambda still has
  return language + version.substr(0, version.find('.', major_end + 1));
}

std::map<std::string, Language> find_languages() {
  std::map<std::string, Language> languages;
  for (const lambed::HostReport& report : lambed::Gateway::hosts(true)) {
    Language& language = languages[report.language];
    if (!language.runtime.empty()) continue;  // one plugin per language is enough
    language.problem = report.available ? "" : report.problem;
    if (!report.available) continue;
    language.interpreter = report.interpreter_version;
    language.runtime = runtime_of(report.language, report.interpreter_version);
  }
  return languages;
}

std::string shortened(std::string text) {
  if (text.size() <= kResultColumns) return text;
  std::size_t end = kResultColumns - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // not inside a UTF-8 character
  text.resize(end);
  return text + "...";
}

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

class Table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  void print() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
      line.erase(line.find_last_not_of(' ') + 1);
      fmt::print("{}\n", line);
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

class Demo {
 public:
  explicit Demo(fs::path folder) : folder_(std::move(folder)), gateway_(options()) {}

  // The number of examples that failed, and of those that could not be run.
  struct Tally {
    int failed = 0;
    int skipped = 0;
  };

  Tally run() {
    const json examples = json::parse(read_file(folder_ / "examples.json")).at("examples");
    Tally tally;
    table_.add({"example", "event", "language", "result", "status", "cold start", "duration", "warm",
                "billed", "memory"});
    for (const json& example : examples) {
      const std::string name = example.at("name");
      const std::string language = example.at("language");
      const Language& found = languages_[language];
      if (found.runtime.empty()) {
        const std::string cause =
            found.problem.empty() ? "there is no plugin for " + language : found.problem;
        notes_.push_back(fmt::format("{}: skipped: {}", name, cause));
        table_.add({name, example.at("trigger"), language, "-", "skipped"});
        ++tally.skipped;
        continue;
      }
      if (!run_one(name, example, found)) ++tally.failed;
    }
    table_.print();
    for (const std::string& note : notes_) fmt::print("\n{}\n", note);
    return tally;
  }

 private:
  lambed::GatewayOptions options() {
    lambed::GatewayOptions options;
    options.log_sink = log_;
    return options;
  }

  bool run_one(const std::string& name, const json& example, const Language& language) {
    std::string function = name;
    std::replace(function.begin(), function.end(), '/', '-');
    try {
      const std::optional<std::string> event = event_of(example);
      if (!event) {
        notes_.push_back(
            fmt::format("{}: not run: {} gave no result", name, std::string(example.at("event_from"))));
        table_.add({name, example.at("trigger"), language.runtime, "-", "FAILED"});
        return false;
      }
      gateway_.create_function(
          {.name = function,
           .runtime = language.runtime,
           .handler = example.at("handler"),
           .code = lambed::Code::directory((folder_ / name).string()),
           .environment = example.value("environment", std::map<std::string, std::string>{})});
      const lambed::InvokeResult cold = gateway_.invoke({.function = function, .payload = *event});
      const lambed::InvokeResult warm = gateway_.invoke({.function = function, .payload = *event});
      const bool as_expected = matches(name, function, cold) && matches(name, function, warm);
      if (as_expected) results_[name] = cold.payload;
      table_.add({name, example.at("trigger"), fmt::format("{} ({})", language.runtime, language.interpreter),
                  shortened(cold.payload), as_expected ? "ok" : "FAILED",
                  fmt::format("{:.1f} ms", milliseconds(cold.report.init_duration)),
                  fmt::format("{:.2f} ms", milliseconds(cold.report.duration)),
                  fmt::format("{:.2f} ms", milliseconds(warm.report.duration)),
                  fmt::format("{} ms", warm.report.billed_duration.count()),
                  fmt::format("{}/{} MB", warm.report.max_memory_used_mb, warm.report.memory_size_mb)});
      return as_expected;
    } catch (const lambed::Error& error) {
      notes_.push_back(fmt::format("{}: {}: {}", name, error.name(), error.what()));
      table_.add({name, example.at("trigger"), language.runtime, "-", "FAILED"});
      return false;
    }
  }

  std::optional<std::string> event_of(const json& example) const {
    if (example.contains("event")) return read_file(folder_ / std::string(example.at("event")));
    const auto earlier = results_.find(example.at("event_from"));
    if (earlier == results_.end()) return std::nullopt;
    return earlier->second;
  }

  bool matches(const std::string& name, const std::string& function, const lambed::InvokeResult& result) {
    const json expected = json::parse(read_file(folder_ / name / "expected.json"));
    const json actual = json::parse(result.payload, nullptr, false);
    if (result.ok() && actual == expected) return true;
    notes_.push_back(fmt::format("{}: expected {}\n  got {}{}\n  log:\n{}", name, expected.dump(),
                                 result.function_error.empty() ? "" : result.function_error + ": ",
                                 result.payload, log_->text(function)));
    return false;
  }

  const fs::path folder_;
  const std::shared_ptr<lambed::MemoryLogSink> log_ = std::make_shared<lambed::MemoryLogSink>();
  std::map<std::string, Language> languages_ = find_languages();
  lambed::Gateway gateway_;
  std::map<std::string, std::string> results_;
  std::vector<std::string> notes_;
  Table table_;
};

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string_view> words(arguments + 1, arguments + count);
  const bool require_all = !words.empty() && words.front() == "--require-all";
  if (words.size() != (require_all ? 2u : 1u) || words.back().starts_with("-")) {
    fmt::print(stderr, "usage: lambed_demo [--require-all] FOLDER_OF_THE_EXAMPLES\n");
    return 2;
  }
  try {
    const Demo::Tally tally = Demo(words.back()).run();
    if (tally.failed > 0) fmt::print("\n{} failed\n", tally.failed);
    if (tally.skipped > 0) {
      fmt::print("\n{} skipped: `lambed doctor` tells what is missing and how to get it\n", tally.skipped);
    }
    return tally.failed > 0 || (require_all && tally.skipped > 0) ? 1 : 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lambed_demo: {}\n", error.what());
    return 2;
  }
}
