#include "soak/fairness.h"

#include <lambed/gateway.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "soak/deeds.h"
#include "soak/observation.h"

namespace lambed::soak {
namespace {

constexpr int kInFlight = 16;  // of each language
constexpr int kRounds = 3;
constexpr double kLeastShare = 0.7;

class SilentSink : public LogSink {
 public:
  void write(const LogRecord&) override {}
};

struct Stream {
  std::string function;
  std::atomic<long> answers{0};
  std::atomic<long> errors{0};
  std::atomic<int> in_flight{0};
};

void call(Gateway& gateway, const std::shared_ptr<Stream>& stream, const std::atomic<bool>& stopping) {
  gateway.invoke({.function = stream->function, .payload = R"({"do":"answer","id":"1"})"},
                 [&gateway, stream, &stopping](const InvokeResult& result) {
                   ++(result.ok() ? stream->answers : stream->errors);
                   if (stopping.load()) {
                     --stream->in_flight;
                   } else {
                     call(gateway, stream, stopping);
                   }
                 });
}

// Calls a second, by language.
std::vector<double> rates(Gateway& gateway, const std::vector<std::string>& functions, int seconds) {
  std::atomic<bool> stopping{false};
  std::vector<std::shared_ptr<Stream>> streams;
  for (const std::string& function : functions) {
    streams.push_back(std::make_shared<Stream>());
    streams.back()->function = function;
    for (int i = 0; i < kInFlight; ++i) {
      ++streams.back()->in_flight;
      call(gateway, streams.back(), stopping);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  std::vector<long> before;
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& stream : streams) before.push_back(stream->answers.load());
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  std::vector<double> result;
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (std::size_t i = 0; i < streams.size(); ++i) {
    result.push_back(static_cast<double>(streams[i]->answers.load() - before[i]) / took);
  }
  stopping.store(true);
  for (const auto& stream : streams) {
    while (stream->in_flight.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (stream->errors.load() > 0)
      std::printf("%s failed %ld times\n", stream->function.c_str(), stream->errors.load());
  }
  return result;
}

}  // namespace

bool measure_fairness(int seconds) {
  GatewayOptions options;
  options.log_sink = std::make_shared<SilentSink>();
  Gateway gateway(options);
  std::vector<std::string> names;
  for (const Language& language : languages()) {
    names.emplace_back(language.name);
    gateway.create_function(
        {.name = names.back(),
         .runtime = std::string(language.runtime),
         .handler = "app.handler",
         .code = Code::directory(std::string(LAMBED_SOURCE_DIR) + "/tests/soak/functions/" + names.back()),
         .timeout_s = 60,
         .environment = std::map<std::string, std::string>{{"TAG", "0"}}});
  }
  rates(gateway, names, 1);  // opens environments
  std::vector<std::vector<double>> alone(names.size());
  std::vector<std::vector<double>> together(names.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < names.size(); ++i)
      alone[i].push_back(rates(gateway, {names[i]}, seconds).front());
    const std::vector<double> mixed = rates(gateway, names, seconds);
    for (std::size_t i = 0; i < names.size(); ++i) together[i].push_back(mixed[i]);
  }
  std::printf("\n%-8s %14s %14s %28s\n", "language", "alone, 1/s", "together, 1/s",
              "share of a third of alone");
  bool fair = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double solo = median(alone[i]);
    const double mixed = median(together[i]);
    const double share = solo > 0 ? mixed / (solo / 3) : 0;
    fair = fair && share >= kLeastShare;
    std::printf("%-8s %14.0f %14.0f %27.0f%%%s\n", names[i].c_str(), solo, mixed, share * 100,
                share >= kLeastShare ? "" : "  too little");
  }
  return fair;
}

}  // namespace lambed::soak
