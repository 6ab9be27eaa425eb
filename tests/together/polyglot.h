// A gateway with one function in each language, as the programs of tests/together start them: in a given order, in a process
// of their own, since the host of a language is started once in a process.
#pragma once

#include <lambed/gateway.h>

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace lambed::together {

using nlohmann::json;

inline const std::vector<std::string> kLanguages = {"python", "nodejs", "ruby"};

// "ruby,python" -> {"ruby", "python"}. Throws std::invalid_argument at a word that is no language.
std::vector<std::string> parse_order(const std::string& text);

// What these programs throw when something is not as it should be.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void expect(bool holds, const std::string& what);

// Waits for a condition that another thread brings about, and throws Failure naming it when it does not come.
void await(const std::string& what, const std::function<bool()>& condition,
           std::chrono::milliseconds patience = std::chrono::seconds(30));

// Names its function in each language after the language. Not for more than one thread, but for `call` and `start`.
class Polyglot {
 public:
  explicit Polyglot(GatewayOptions options = quiet_options());

  // Makes the function and invokes it once, which starts the language's host.
  void start(const std::string& language);
  void start(const std::vector<std::string>& order) {
    for (const std::string& language : order) start(language);
  }
  // Another function of the same code.
  void create(const std::string& name, const std::string& language, int timeout_s = 60, int memory_mb = 512);

  // The handler's answer; throws Failure when it is an error.
  json call(const std::string& function, const std::string& deed, json event = json::object());
  std::future<InvokeResult> call_later(const std::string& function, const std::string& deed,
                                       json event = json::object());
  // The answer of a future of call_later.
  static json answer_of(std::future<InvokeResult>& future);

  Gateway& gateway() { return *gateway_; }
  void close() { gateway_->close(); }
  // Destroys the gateway.
  void drop() { gateway_.reset(); }
  const std::shared_ptr<MemoryLogSink>& log() const { return log_; }

  static GatewayOptions quiet_options();

 private:
  std::shared_ptr<MemoryLogSink> log_ = std::make_shared<MemoryLogSink>();
  std::unique_ptr<Gateway> gateway_;
};

// Threads of this process, and its resident memory in kB, as /proc tells them.
int count_threads();
long resident_kb();

}  // namespace lambed::together
