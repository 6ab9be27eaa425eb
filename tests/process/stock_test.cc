// Workers that wait for their functions.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "process/workers.h"

namespace lambed::testing {
namespace {

constexpr std::size_t kStock = 2;
// init and handler.
constexpr std::size_t kOfEach = 2;

// On a free port of the machine's loopback.
class Listener {
 public:
  Listener() {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    BOOST_TEST_REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&here), size) == 0);
    BOOST_TEST_REQUIRE(::listen(socket_, 8) == 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size);
    place_ = "127.0.0.1:" + std::to_string(ntohs(here.sin_port));
  }
  ~Listener() { ::close(socket_); }
  const std::string& place() const { return place_; }

 private:
  const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string place_;
};

// The launcher goes with each test, so that no other one meets its stock.
struct StockFixture : ScriptedFixture {
  StockFixture() {
    ::chmod(code.path().c_str(), 0755);
    GatewayOptions with = options();
    with.worker_stock = kStock;
    gateway.emplace(with);
    create("first");
    BOOST_TEST_REQUIRE(invoke("first").ok());
    gateway->delete_function("first");
    await_stock();
    for (const pid_t pid : worker_processes()) waiting.insert(pid);
  }
  ~StockFixture() {
    gateway.reset();
    std::vector<pid_t> all = worker_processes();
    for (const pid_t launcher : launchers()) {
      kill(launcher, SIGKILL);
      all.push_back(launcher);
    }
    // Stock workers end with their launcher; and that is gone when the host has seen it, and will start another.
    BOOST_CHECK(await(
        [&] { return std::none_of(all.begin(), all.end(), [](pid_t pid) { return kill(pid, 0) == 0; }); }));
  }

  void create(const std::string& name, const std::string& script = "stamp") {
    CreateFunctionRequest request = function(name, script);
    request.isolation = Isolation::kProcess;
    if (kIsSanitized) request.memory_mb = 1024;
    gateway->create_function(request);
  }
  InvokeResult invoke(const std::string& name, const std::string& script = "") {
    return gateway->invoke({.function = name, .payload = script.empty() ? "{}" : do_script(script)});
  }
  // Until the stock is full, and has had the time to start its interpreters.
  void await_stock() {
    BOOST_TEST_REQUIRE(await(
        [&] {
          const auto environments = static_cast<std::size_t>(gateway->status().idle);
          return worker_processes().size() == (kStock + environments) * kOfEach;
        },
        20s));
    std::this_thread::sleep_for(kIsSanitized ? 500ms : 100ms);
  }
  // Of those that waited, how many processes end with that function.
  std::size_t taken_by(const std::string& name) {
    gateway->delete_function(name);
    await_stock();
    const auto now = worker_processes();
    return static_cast<std::size_t>(std::count_if(waiting.begin(), waiting.end(), [&](pid_t pid) {
      return std::find(now.begin(), now.end(), pid) == now.end();
    }));
  }

  std::set<pid_t> waiting;
  std::optional<Gateway> gateway;
};

BOOST_FIXTURE_TEST_SUITE(stock, StockFixture)

BOOST_AUTO_TEST_CASE(a_cold_start_takes_a_worker_that_waits_and_the_stock_fills_up_again) {
  create("second");
  BOOST_TEST(invoke("second").ok());
  await_stock();
  BOOST_TEST(taken_by("second") == kOfEach);
}

BOOST_AUTO_TEST_CASE(a_worker_of_the_stock_is_its_functions_in_all_that_can_be_seen) {
  CreateFunctionRequest request = function("who", "identify");
  request.isolation = Isolation::kProcess;
  request.memory_mb = kIsSanitized ? 1024 : 192;
  request.environment = std::map<std::string, std::string>{{"GREETING", "hi"}};
  gateway->create_function(request);
  const json seen = document(invoke("who"));
  BOOST_TEST(seen["function"] == "who");
  BOOST_TEST(seen["variables"]["GREETING"] == "hi");
  BOOST_TEST(seen["memory_limit"] == *request.memory_mb * std::uint64_t{1024} * 1024);
  BOOST_TEST(invoke("who", "environ=GREETING").payload == "\"hi\"");
  BOOST_TEST(invoke("who", "environ=PATH").payload != "null");
  BOOST_TEST(invoke("who", "environ=LAMBED_HOST_PATH").payload == "null");
  BOOST_TEST(invoke("who", "cwd").payload == invoke("who", "environ=LAMBDA_TASK_ROOT").payload);
  invoke("who", "fd1=to one;fd2=to two");
  BOOST_TEST(await([&] { return log->text().find("to two\n") != std::string::npos; }));
  BOOST_TEST(taken_by("who") == kOfEach);
}

BOOST_AUTO_TEST_CASE(what_a_runtime_reads_when_it_starts_is_not_missed) {
  CreateFunctionRequest request = function("zoned", "stamp");
  request.isolation = Isolation::kProcess;
  if (kIsSanitized) request.memory_mb = 1024;
  request.environment = std::map<std::string, std::string>{{"NODE_EXTRA_CA_CERTS", "/var/task/ca.pem"}};
  gateway->create_function(request);
  BOOST_TEST(invoke("zoned").ok());
  await_stock();
  const std::vector<pid_t> now = worker_processes();
  BOOST_TEST(now.size() == (kStock + 1) * kOfEach);  // one was started for it, and those that wait still do
  BOOST_TEST(taken_by("zoned") == 0u);
}

BOOST_AUTO_TEST_CASE(a_worker_of_the_stock_reaches_the_machine_only_when_that_is_allowed) {
  const Listener listener;
  create("kept-in");
  BOOST_TEST(invoke("kept-in", "tcp=" + listener.place()).payload != "0");
  BOOST_TEST(taken_by("kept-in") == kOfEach);
  GatewayOptions with = options();
  with.worker_stock = kStock;
  with.allow_host_loopback = true;
  gateway.emplace(with);
  const auto now = worker_processes();
  waiting = {now.begin(), now.end()};
  create("let-out");
  BOOST_TEST(invoke("let-out", "tcp=" + listener.place()).payload == "0");
  BOOST_TEST(taken_by("let-out") == kOfEach);
}

BOOST_AUTO_TEST_CASE(a_function_in_a_network_gets_a_worker_that_is_made_for_it) {
  GatewayOptions with = options();
  with.worker_stock = kStock;
  with.networks = {{"vpc-1",
                    {{"subnet-1", "10.123.2.0/24"}},
                    {{"sg-1", std::vector<EgressPermission>{{"udp", 443, 443, {"0.0.0.0/0"}}}}}}};
  gateway.emplace(with);
  CreateFunctionRequest request = function("inside", "stamp");
  request.isolation = Isolation::kProcess;
  if (kIsSanitized) request.memory_mb = 1024;
  request.vpc_config = VpcConfig{{"subnet-1"}, {"sg-1"}};
  gateway->create_function(request);
  BOOST_TEST(invoke("inside", "udp=192.0.2.1:444").payload == std::to_string(EPERM));
  BOOST_TEST(invoke("inside", "tcp=192.0.2.1:443").payload == std::to_string(EPERM));
  BOOST_TEST(invoke("inside", "udp=10.123.2.200:443").payload == std::to_string(EHOSTUNREACH));
  await_stock();
  BOOST_TEST(taken_by("inside") == 0u);
}

BOOST_AUTO_TEST_CASE(a_worker_that_dies_while_it_waits_is_replaced) {
  for (const pid_t pid : waiting) kill(pid, SIGKILL);
  const auto are_replaced = [&] {
    const auto now = worker_processes();
    return now.size() == kStock * kOfEach &&
           std::none_of(now.begin(), now.end(), [&](pid_t pid) { return waiting.count(pid) != 0; });
  };
  BOOST_TEST(await(are_replaced, 20s));
  create("second");
  BOOST_TEST(invoke("second").ok());
}

BOOST_AUTO_TEST_CASE(cold_starts_are_answered_while_waiting_workers_die) {
  std::atomic<bool> over{false};
  std::thread killer([&] {
    std::size_t next = 0;
    while (!over.load()) {
      const std::vector<pid_t> all = worker_processes();
      for (const pid_t pid : all)
        if (waiting.count(pid) != 0 || ++next % 7 == 0) kill(pid, SIGKILL);
      std::this_thread::sleep_for(20ms);
    }
  });
  int answered = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "f" + std::to_string(i);
    create(name);
    const InvokeResult result = invoke(name);
    // It may be killed while it works, like any other.
    answered += result.ok() || document(result)["errorMessage"].get<std::string>().find("signal: killed") !=
                                   std::string::npos
                    ? 1
                    : 0;
    gateway->delete_function(name);
  }
  over = true;
  killer.join();
  BOOST_TEST(answered == 30);
}

BOOST_AUTO_TEST_CASE(many_cold_starts_at_once_are_served_with_and_without_the_stock) {
  create("many", "sleep=50;stamp");
  std::vector<std::future<InvokeResult>> calls;
  for (int i = 0; i < 12; ++i) calls.push_back(gateway->invoke_future({.function = "many", .payload = "{}"}));
  for (auto& call : calls) BOOST_TEST(result_of(call).ok());
}

BOOST_AUTO_TEST_CASE(a_function_that_took_a_waiting_worker_ends_like_any_other) {
  create("exits", "real-exit=3");
  const InvokeResult result = invoke("exits");
  BOOST_TEST(document(result)["errorMessage"] ==
             "RequestId: " + result.request_id + " Error: Runtime exited with error: exit status 3");
  CreateFunctionRequest request = function("slow", "offspring=5;stuck=60000");
  request.isolation = Isolation::kProcess;
  if (kIsSanitized) request.memory_mb = 1024;
  request.timeout_s = 1;
  gateway->create_function(request);
  BOOST_TEST(document(invoke("slow"))["errorType"] == "Sandbox.Timedout");
  await_stock();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
