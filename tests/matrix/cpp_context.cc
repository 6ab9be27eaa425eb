// One language inside a C++ program: the checks of the matrix, a line of JSON each (run.py tells what they mean).
//
// matrix_cpp_context LANGUAGE. Ends with calls in flight, with status 7.
#include <lambed/gateway.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kPatience = 60;  // seconds; whoever waits so long has failed
constexpr int kGuests = 8;
constexpr int kStatus = 7;
const char* const kValues =
    R"([null, true, 0, -1.5, "text", "😀 \u2028 \u0000 ü", [], {}, [1, [2, {"a": null}]],
                                9007199254740991])";

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void say(const json& members) { std::cout << members.dump() << std::endl; }

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lambed-matrix-XXXXXX").string();
    expect(::mkdtemp(name.data()) != nullptr, "no temporary folder can be made");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Checks {
 public:
  explicit Checks(std::string language) : language_(std::move(language)) {
    std::ifstream file(LAMBED_MATRIX_DIR "/languages.json");
    traits_ = json::parse(file).at(language_);
    lambed::GatewayOptions options;
    options.log_sink = log_;
    gateway_ = std::make_unique<lambed::Gateway>(options);
    create("main", kPatience, {{"COLOUR", "blue"}});
  }

  std::string interpreter() { return answer("version"); }

  void echo() {
    for (const json& value : json::parse(kValues)) {
      const json back = answer("echo", {{"value", value}});
      expect(back == value, value.dump() + " came back as " + back.dump());
    }
  }

  void error_document() {
    const lambed::InvokeResult result = call("fail");
    const json document = json::parse(result.payload);
    expect(result.status_code == 200 && result.function_error == "Unhandled", result.payload);
    expect(document.at("errorType") == traits_.at("error_type"), result.payload);
    expect(document.at("errorMessage").get<std::string>().find("out of tea") != std::string::npos,
           result.payload);
  }

  void stops_at_its_timeout(const std::string& deed) {
    create(deed, 1);
    const auto begin = Clock::now();
    const lambed::InvokeResult result = call(deed, {}, deed);
    const auto took = Clock::now() - begin;
    expect(json::parse(result.payload).at("errorType") == "Sandbox.Timedout", result.payload);
    expect(took > 950ms && took < 5s,
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) + " ms");
    // It really stops, and the next call is unharmed.
    await("the loop ends", [&] { return gateway_->status().interrupting == 0; });
    expect(gateway_->status().abandoned == 0, "it was abandoned");
    expect(answer("echo", {{"value", 1}}) == 1, "the next call was harmed");
  }

  void eight_at_once() {
    const Folder folder;
    std::vector<std::future<lambed::InvokeResult>> guests;
    for (int number = 0; number < kGuests; ++number) {
      const json event = {{"do", "meet"}, {"folder", folder.path()}, {"number", number}, {"guests", kGuests}};
      guests.push_back(gateway_->invoke_future({.function = "main", .payload = event.dump()}));
    }
    for (int number = 0; number < kGuests; ++number) {
      const lambed::InvokeResult result = guests[static_cast<std::size_t>(number)].get();
      expect(result.ok() && json::parse(result.payload) == number, result.payload);
    }
  }

  void child_environment() {
    ::setenv("SECRET_OF_THE_APPLICATION", "1", 1);
    const std::string seen = answer("child_environment");
    expect(seen.find("COLOUR=blue\n") != std::string::npos, seen);
    expect(seen.find("AWS_LAMBDA_FUNCTION_NAME=main\n") != std::string::npos, seen);
    expect(seen.find("SECRET_OF_THE_APPLICATION") == std::string::npos, seen);
    expect(std::getenv("COLOUR") == nullptr, "the function's variable is the application's");
  }

  bool memory_limit() { return !call("fill", {{"megabytes", 400}}).ok(); }

  bool own_working_directory() {
    const auto before = std::filesystem::current_path();
    const lambed::InvokeResult result = call("change_folder");
    expect(std::filesystem::current_path() == before, "the application's has changed");
    return result.ok() && result.payload == "\"/usr\"";
  }

  bool exit_ends_the_environment_only() {
    const std::string message = json::parse(call("leave").payload).at("errorMessage");
    return message.find("exit status 3") != std::string::npos && answer("echo", {{"value", 1}}) == 1;
  }

  void begin_what_does_not_end() {
    int number = 0;
    for (const char* deed : {"wait", "busy_loop", "wait"}) {
      const std::string name = "last-" + std::to_string(number++);
      create(name, kPatience);
      gateway_->invoke({.function = name, .payload = json{{"do", deed}}.dump()},
                       [](const lambed::InvokeResult&) {});
      await(std::string(deed) + " runs",
            [&] { return log_->text(name).find("running") != std::string::npos; });
    }
  }

 private:
  void create(const std::string& name, int timeout_s, std::map<std::string, std::string> environment = {}) {
    gateway_->create_function({.name = name,
                               .runtime = traits_.at("runtime"),
                               .handler = "app.handler",
                               .code = lambed::Code::directory(LAMBED_MATRIX_DIR "/functions/" + language_),
                               .timeout_s = timeout_s,
                               .environment = std::move(environment)});
  }

  lambed::InvokeResult call(const std::string& deed, json event = json::object(),
                            const std::string& function = "main") {
    if (event.is_null()) event = json::object();
    event["do"] = deed;
    return gateway_->invoke({.function = function, .payload = event.dump()});
  }

  json answer(const std::string& deed, const json& event = json::object()) {
    const lambed::InvokeResult result = call(deed, event);
    expect(result.ok(), result.payload);
    return json::parse(result.payload);
  }

  static void await(const std::string& what, const std::function<bool()>& condition) {
    const auto end = Clock::now() + std::chrono::seconds(kPatience);
    while (!condition()) {
      expect(Clock::now() < end, "waited in vain: " + what);
      std::this_thread::sleep_for(5ms);
    }
  }

  std::string language_;
  json traits_;
  std::shared_ptr<lambed::MemoryLogSink> log_ = std::make_shared<lambed::MemoryLogSink>();
  std::unique_ptr<lambed::Gateway> gateway_;
};

// `run` returns what was observed, nothing where there is only one right outcome.
void check(const char* name, const std::function<std::optional<bool>()>& run) {
  try {
    const std::optional<bool> observed = run();
    say({{"check", name}, {"passed", true}, {"observed", observed ? json(*observed) : json()}});
  } catch (const std::exception& error) {
    say({{"check", name}, {"passed", false}, {"detail", error.what()}});
  }
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::cerr << "usage: matrix_cpp_context LANGUAGE\n";
    return 2;
  }
  Checks all(words[1]);
  say({{"check", "start"}, {"process", ""}, {"interpreter", all.interpreter()}});
  const auto silent = [&all](void (Checks::*run)()) {
    return [&all, run]() -> std::optional<bool> {
      (all.*run)();
      return std::nullopt;
    };
  };
  check("echo", silent(&Checks::echo));
  check("error_document", silent(&Checks::error_document));
  for (const char* deed : {"busy_loop", "swallow_loop"}) {
    check(deed, [&]() -> std::optional<bool> {
      all.stops_at_its_timeout(deed);
      return std::nullopt;
    });
  }
  check("eight_at_once", silent(&Checks::eight_at_once));
  check("child_environment", silent(&Checks::child_environment));
  check("memory_limit", [&] { return std::optional(all.memory_limit()); });
  check("own_working_directory", [&] { return std::optional(all.own_working_directory()); });
  check("exit_ends_the_environment_only",
        [&] { return std::optional(all.exit_ends_the_environment_only()); });
  all.begin_what_does_not_end();
  say({{"check", "ending"}});
  return kStatus;
}
