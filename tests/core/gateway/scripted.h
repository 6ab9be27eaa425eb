// A gateway whose functions run in the scripted host (tests/scripted_host/scripted_host.h explains the
// scripts), and what the tests ask that host. Every test ends with the check that nothing of it is left
// behind.
#pragma once

#include <dlfcn.h>
#include <lambed/gateway.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "scripted_host/scripted_host.h"
#include "support/host_harness.h"
#include "support/sanitized.h"

namespace lambed::testing {

using namespace std::chrono_literals;
using nlohmann::json;

// Waits for a condition that another thread brings about. False after `patience`.
template <typename Condition>
bool await(Condition condition, std::chrono::milliseconds patience = kPatience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// Which isolation the suite is run with (tests/CMakeLists.txt). Cases with the label in_process are not run with `process`; each
// says why.
inline Isolation tested_isolation() {
  const char* const word = std::getenv("LAMBED_TEST_ISOLATION");
  return word != nullptr && std::string_view(word) == "process" ? Isolation::kProcess : Isolation::kInProcess;
}

// The scripted host's own symbols. Loading the plugin here, before any gateway does, tells the gateways where
// it lies.
class ScriptedHost {
 public:
  static ScriptedHost& instance() {
    static ScriptedHost the_host;
    return the_host;
  }
  void open_gate(const std::string& name) const { open_gate_(name.c_str()); }
  void close_gate(const std::string& name) const { close_gate_(name.c_str()); }
  long waiting_at(const std::string& name) const { return waiting_at_(name.c_str()); }
  long environments() const { return environments_(); }
  long threads() const { return threads_(); }
  long resting() const { return resting_(); }
  long opened() const { return opened_(); }
  long invocations() const { return invocations_(); }
  long interrupts() const { return interrupts_(); }

 private:
  ScriptedHost() {
    ::setenv("LAMBED_HOST_PATH", LAMBED_TEST_PLUGIN_DIR, 1);
    const std::string path = std::string(LAMBED_TEST_PLUGIN_DIR) + "/liblambed_host_scripted.so";
    void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    find(library, "scripted_open_gate", open_gate_);
    find(library, "scripted_close_gate", close_gate_);
    find(library, "scripted_waiting_at", waiting_at_);
    find(library, "scripted_environments", environments_);
    find(library, "scripted_threads", threads_);
    find(library, "scripted_resting", resting_);
    find(library, "scripted_opened", opened_);
    find(library, "scripted_invocations", invocations_);
    find(library, "scripted_interrupts", interrupts_);
  }
  template <typename Function>
  static void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    if (function == nullptr) throw std::runtime_error(name);
  }

  scripted_gate_function open_gate_ = nullptr;
  scripted_gate_function close_gate_ = nullptr;
  scripted_gate_count_function waiting_at_ = nullptr;
  scripted_count_function environments_ = nullptr;
  scripted_count_function threads_ = nullptr;
  scripted_count_function resting_ = nullptr;
  scripted_count_function opened_ = nullptr;
  scripted_count_function invocations_ = nullptr;
  scripted_count_function interrupts_ = nullptr;
};

// A gate that no other test uses; whoever still stands before it is let go at the end.
class Gate {
 public:
  Gate() : name_("gate" + std::to_string(++serial())) {}
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  const std::string& name() const { return name_; }
  void open() const { ScriptedHost::instance().open_gate(name_); }
  void close() const { ScriptedHost::instance().close_gate(name_); }
  long waiting() const { return ScriptedHost::instance().waiting_at(name_); }
  bool await_waiting(long count) const {
    return await([&] { return waiting() == count; });
  }

 private:
  static std::atomic<int>& serial() {
    static std::atomic<int> the_serial{0};
    return the_serial;
  }
  std::string name_;
};

// The base of every test case here. Make gateways after it (as members of a derived fixture or as locals).
struct ScriptedFixture {
  ScriptedFixture() {
    ScriptedHost::instance();
    code.write("main.script", "the scripted host never reads this");
  }
  ~ScriptedFixture() {
    BOOST_CHECK_MESSAGE(await([&] { return host().environments() == 0 && host().threads() == 0; }),
                        "left behind: " << host().environments() << " environments, " << host().threads()
                                        << " threads of the scripted host");
  }

  static ScriptedHost& host() { return ScriptedHost::instance(); }

  GatewayOptions options() const {
    GatewayOptions result;
    result.log_sink = log;
    return result;
  }
  CreateFunctionRequest function(const std::string& name, const std::string& script) const {
    CreateFunctionRequest request{.name = name,
                                  .runtime = "scripted1.0",
                                  .handler = script,
                                  .code = Code::directory(code.path()),
                                  .timeout_s = 20};
    request.isolation = tested_isolation();
    // A sanitizer's own memory counts as well.
    if (kIsSanitized && request.isolation == Isolation::kProcess) request.memory_mb = 1024;
    return request;
  }

  TemporaryFolder code;
  std::shared_ptr<MemoryLogSink> log = std::make_shared<MemoryLogSink>();
};

// With a gateway of default options.
struct GatewayFixture : ScriptedFixture {
  Gateway gateway{options()};

  FunctionConfiguration create(const std::string& name, const std::string& script) {
    return gateway.create_function(function(name, script));
  }
  std::future<InvokeResult> start(const std::string& name, const std::string& payload = "{}") {
    return gateway.invoke_future({.function = name, .payload = payload});
  }
};

inline json document(const InvokeResult& result) { return json::parse(result.payload); }

inline std::string do_script(const std::string& script) { return json{{"do", script}}.dump(); }

// The code of the error that `call` throws; fails the test when it throws none.
template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  BOOST_ERROR("no lambed::Error was thrown");
  return Error(ErrorCode::ServiceException, "none was thrown");
}

inline void check_error(const Error& error, ErrorCode code, std::string_view message) {
  BOOST_TEST(std::string(error.name()) == std::string(traits_of(code).name));
  BOOST_TEST(error.message() == std::string(message));
}

// A result that arrives later: fails instead of waiting for ever.
inline InvokeResult result_of(std::future<InvokeResult>& future) {
  if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("no answer came");
  return future.get();
}
inline InvokeResult result_of(std::future<InvokeResult>&& future) { return result_of(future); }

}  // namespace lambed::testing
