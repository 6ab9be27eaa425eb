// All languages answer, wait side by side and work on one event one after the other.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

#include "together/polyglot.h"
#include "together/scenarios.h"

namespace lambed::together {
namespace {

constexpr int kThreads = 3;

// Runs `work(language, thread)` on kThreads threads for each language; throws the first failure.
template <typename Work>
void on_threads(const Order& order, Work work) {
  std::mutex mutex;  // guards failure
  std::string failure;
  std::vector<std::thread> threads;
  for (const std::string& language : order) {
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, language, t] {
        try {
          work(language, t);
        } catch (const std::exception& error) {
          const std::lock_guard lock(mutex);
          if (failure.empty()) failure = error.what();
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  expect(failure.empty(), failure);
}

}  // namespace

void answers(const Order& order) {
  constexpr int kCalls = 200;
  // Time enough on a busy machine for environments that are just being opened: a start cannot be interrupted in its middle.
  GatewayOptions options = Polyglot::quiet_options();
  options.close_grace = std::chrono::seconds(30);
  Polyglot all(options);
  all.start(order);
  on_threads(order, [&](const std::string& language, int thread) {
    for (int i = 0; i < kCalls; ++i) {
      const json value = {
          {"language", language}, {"thread", thread}, {"text", "Grüße, 世界 " + std::to_string(i)}};
      const json answer = all.call(language, "echo", {{"value", value}});
      expect(answer == value, language + " answered " + answer.dump() + " to " + value.dump());
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  all.close();
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const int abandoned = all.gateway().status().abandoned;
  expect(abandoned == 0, std::to_string(abandoned) + " environments were abandoned by a close that took " +
                             std::to_string(took) + " s");
}

void waits_side_by_side(const Order& order) {
  constexpr int kCalls = 8;
  constexpr double kPause = 0.4;
  Polyglot all;
  all.start(order);
  const auto round = [&] {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::future<InvokeResult>> answers;
    for (int i = 0; i < kCalls; ++i) {
      for (const std::string& language : order) {
        answers.push_back(all.call_later(language, "sleep", {{"seconds", kPause}, {"value", i}}));
      }
    }
    for (auto& answer : answers) Polyglot::answer_of(answer);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  round();  // opens the environments
  const double took = round();
  std::printf("%d calls that wait %.1f s each took %.2f s together\n",
              kCalls * static_cast<int>(order.size()), kPause, took);
  // One language whose calls waited in line would take kCalls * kPause alone.
  expect(took < kCalls * kPause * 0.75, "calls that wait held each other up: " + std::to_string(took) + " s");
}

void carries_a_pipeline(const Order& order) {
  constexpr int kEvents = 60;
  Polyglot all;
  all.start(order);
  on_threads(order, [&](const std::string& first, int) {
    Order stations = order;
    while (stations.front() != first) std::rotate(stations.begin(), stations.begin() + 1, stations.end());
    for (int i = 0; i < kEvents; ++i) {
      json event = {{"steps", json::array()}, {"sum", i}};
      for (const std::string& language : stations) event = all.call(language, "step", event);
      expect(event["steps"] == json(stations) && event["sum"] == i + 111,
             "the pipeline's end is " + event.dump());
    }
  });
}

}  // namespace lambed::together
