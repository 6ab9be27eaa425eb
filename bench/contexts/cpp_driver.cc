// bench_contexts_cpp LANGUAGE: the C++ side of bench/contexts/run.py, which tells how drivers are spoken to.
#include <lambed/gateway.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

class DroppingSink final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
};

void expect_ok(const lambed::InvokeResult& result) {
  if (result.ok()) return;
  std::cerr << "a call failed: " << result.payload << '\n';
  std::_Exit(1);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Driver {
 public:
  Driver(lambed::Gateway& gateway) : gateway_(gateway) {}

  json round_trips(int calls) {
    std::vector<double> times;
    times.reserve(static_cast<std::size_t>(calls));
    for (int i = 0; i < calls; ++i) {
      const auto begin = Clock::now();
      expect_ok(gateway_.invoke({.function = "echo", .payload = payload_}));
      times.push_back(seconds_since(begin) * 1e6);
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return {{"p50_us", *middle}};
  }

  // Each answer begins the next call, on the core loop's thread.
  json flood(int calls, int in_flight) {
    left_ = calls;
    running_ = in_flight;
    done_ = {};
    const auto begin = Clock::now();
    for (int i = 0; i < in_flight; ++i) next();
    done_.get_future().wait();
    return {{"per_second", calls / seconds_since(begin)}};
  }

 private:
  void next() {
    if (left_.fetch_sub(1) <= 0) {
      if (running_.fetch_sub(1) == 1) done_.set_value();
      return;
    }
    gateway_.invoke({.function = "echo", .payload = payload_}, [this](const lambed::InvokeResult& result) {
      expect_ok(result);
      next();
    });
  }

  lambed::Gateway& gateway_;
  const std::string payload_ = json{{"text", std::string(89, 'x')}}.dump();
  std::atomic<int> left_{0};
  std::atomic<int> running_{0};
  std::promise<void> done_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  std::ifstream file(LAMBED_BENCH_FUNCTIONS);
  const json function = json::parse(file).at(words[1]);
  lambed::GatewayOptions options;
  options.log_sink = std::make_shared<DroppingSink>();
  lambed::Gateway gateway(options);
  gateway.create_function({.name = "echo",
                           .runtime = function.at("runtime"),
                           .handler = "app.handler",
                           .code = lambed::Code::inline_source(function.at("source")),
                           .timeout_s = 60});
  Driver driver(gateway);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream request(line);
    std::string what;
    int calls = 0;
    int in_flight = 0;
    request >> what >> calls >> in_flight;
    const json answer = what == "flood" ? driver.flood(calls, in_flight) : driver.round_trips(calls);
    std::cout << answer.dump() << std::endl;
  }
}
