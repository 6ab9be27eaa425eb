// All languages at once in one process: nobody may starve beside the others.
#include <atomic>
#include <cstdio>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

constexpr int kInFlight = 16;  // of each language
constexpr int kRounds = 3;
constexpr double kLeastShare = 0.7;
constexpr std::chrono::milliseconds kWarmUp{300};

// Keeps that many invocations of a function going until it is told to stop.
class Load {
 public:
  Load(lambed::Gateway& gateway, std::string function, const std::string& event)
      : gateway_(gateway), function_(std::move(function)), event_(event) {
    for (int i = 0; i < kInFlight; ++i) next();
  }
  ~Load() {
    stop();
    while (left_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  long answers() const { return answers_; }
  void stop() { is_stopping_ = true; }

 private:
  void next() {
    gateway_.invoke({.function = function_, .payload = event_}, [this](lambed::InvokeResult result) {
      expect_ok(result);
      ++answers_;
      if (is_stopping_) {
        --left_;
      } else {
        next();
      }
    });
  }

  lambed::Gateway& gateway_;
  const std::string function_;
  const std::string& event_;
  std::atomic<bool> is_stopping_{false};
  std::atomic<int> left_{kInFlight};
  std::atomic<long> answers_{0};
};

// Calls per second of each function while all of them run.
std::vector<double> rates(lambed::Gateway& gateway, const std::vector<std::string>& functions,
                          const std::string& event, std::chrono::milliseconds duration) {
  std::vector<std::unique_ptr<Load>> loads;
  for (const std::string& function : functions) {
    loads.push_back(std::make_unique<Load>(gateway, function, event));
  }
  std::this_thread::sleep_for(kWarmUp);
  std::vector<long> before;
  const auto begin = Clock::now();
  for (const auto& load : loads) before.push_back(load->answers());
  std::this_thread::sleep_for(duration);
  const std::chrono::duration<double> took = Clock::now() - begin;
  std::vector<double> result;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    result.push_back(static_cast<double>(loads[i]->answers() - before[i]) / took.count());
  }
  for (const auto& load : loads) load->stop();
  return result;
}

}  // namespace

void measure_mixed(const std::vector<std::string>& folders, const Scale& scale, Targets& targets) {
  std::printf("All languages at once, %d in flight of each, 100 B (median over %d interleaved rounds)\n",
              kInFlight, kRounds);
  lambed::GatewayOptions options;
  options.log_sink = std::make_shared<DroppingSink>();
  lambed::Gateway gateway(options);
  const std::vector<const Subject*> subjects = all_subjects();
  std::vector<std::string> functions;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    functions.push_back(subjects[i]->language);
    gateway.create_function({.name = functions.back(),
                             .runtime = subjects[i]->runtime,
                             .handler = "app.handler",
                             .code = lambed::Code::directory(folders[i]),
                             .timeout_s = 60,
                             .memory_mb = 512});
  }
  const std::string event = event_of(100);
  rates(gateway, functions, event, scale.block);  // starts the hosts, opens environments
  while (gateway.status().opening > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::vector<std::vector<double>> alone(functions.size());
  std::vector<std::vector<double>> together(functions.size());
  const auto duration = scale.block * 10;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < functions.size(); ++i) {
      alone[i].push_back(rates(gateway, {functions[i]}, event, duration).front());
    }
    const std::vector<double> mixed = rates(gateway, functions, event, duration);
    for (std::size_t i = 0; i < functions.size(); ++i) together[i].push_back(mixed[i]);
  }
  Table table({"language", "alone, calls/s", "together, calls/s", "of a third of alone"});
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const double share = median(together[i]) / (median(alone[i]) / 3);
    table.row({functions[i], number_text(median(alone[i]), 0), number_text(median(together[i]), 0),
               number_text(share, 2) + "x"});
    targets.at_least("all at once, " + functions[i] + ", of a third of its rate alone", share, kLeastShare,
                     "x");
  }
  table.print();
  gateway.close();
}

}  // namespace bench
