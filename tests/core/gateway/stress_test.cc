// Many threads, three functions, and somebody who updates, deletes and makes them again meanwhile.
#include <array>

#include "core/gateway/scripted.h"

namespace lambed::testing {
namespace {

// Both lose environments all the time, and a worker takes longer to make.
int calls_per_thread() { return kIsSanitized || tested_isolation() == Isolation::kProcess ? 500 : 10'000; }
constexpr int kThreads = 16;
constexpr std::array<const char*, 3> kNames = {"first", "second", "third"};

// What the functions are at one moment, as the one thread that changes them knows it.
struct Generations {
  std::array<std::atomic<long>, 3> begun{};  // the newest generation whose change has been begun
  std::array<std::atomic<long>, 3> done{};   // the newest generation whose change has returned
};

struct Tally {
  std::atomic<long> answered{0};
  std::atomic<long> not_found{0};
  std::atomic<long> wrong{0};
  std::atomic<long> other_errors{0};
};

BOOST_FIXTURE_TEST_SUITE(stress, ScriptedFixture)

BOOST_AUTO_TEST_CASE(every_call_is_answered_exactly_once_by_the_right_version_while_functions_change) {
  GatewayOptions quiet = options();
  quiet.log_sink = std::make_shared<MemoryLogSink>(1 << 16);
  Gateway gateway(quiet);
  Generations generations;
  Tally tally;
  const int calls = calls_per_thread();
  const auto make = [&](std::size_t index, long generation) {
    CreateFunctionRequest request = function(kNames[index], "stamp");
    request.environment = std::map<std::string, std::string>{{"TAG", std::to_string(generation)}};
    gateway.create_function(request);
  };
  for (std::size_t i = 0; i < kNames.size(); ++i) make(i, 0);

  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < calls; ++i) {
        const std::size_t index = static_cast<std::size_t>(t + i) % kNames.size();
        const std::string id = std::to_string(t) + "." + std::to_string(i) + "x";
        const long oldest = generations.done[index];
        try {
          const InvokeResult result =
              gateway.invoke({.function = kNames[index], .payload = "\"" + id + "\""});
          const long newest = generations.begun[index];
          const json seen = json::parse(result.payload, nullptr, false);
          const bool right = result.ok() && seen.is_object() && seen.value("event", "") == id &&
                             seen.value("version", "") == result.executed_version &&
                             std::stol(seen.value("tag", "-1")) >= oldest &&
                             std::stol(seen.value("tag", "-1")) <= newest;
          ++(right ? tally.answered : tally.wrong);
        } catch (const Error& error) {
          // Between its deletion and its making a function is not there.
          ++(error.code() == ErrorCode::ResourceNotFoundException ? tally.not_found : tally.other_errors);
        }
      }
      --running;
    });
  }
  long changes = 0;
  while (running > 0) {
    const std::size_t index = static_cast<std::size_t>(changes) % kNames.size();
    const long generation = ++generations.begun[index];
    if (changes % 2 == 0) {
      gateway.update_function_configuration(
          {.name = kNames[index],
           .environment = std::map<std::string, std::string>{{"TAG", std::to_string(generation)}}});
    } else {
      gateway.delete_function(kNames[index]);
      make(index, generation);
    }
    generations.done[index] = generation;
    ++changes;
    // Each change gets some calls to itself, whatever the speed of the machine.
    const long before = tally.answered;
    await([&] { return running == 0 || tally.answered >= before + 200; });
  }
  for (std::thread& thread : threads) thread.join();

  BOOST_TEST_MESSAGE("answered " << tally.answered << ", not found " << tally.not_found << ", changes "
                                 << changes);
  BOOST_TEST(tally.wrong == 0);
  BOOST_TEST(tally.other_errors == 0);
  BOOST_TEST(tally.answered + tally.not_found == static_cast<long>(kThreads) * calls);
  BOOST_TEST(tally.not_found < tally.answered);
  BOOST_TEST(changes > 5);
  BOOST_TEST(gateway.status().in_flight == 0);
  BOOST_TEST(gateway.status().late_completions == 0u);
  BOOST_TEST(gateway.status().abandoned == 0);
  gateway.close();
  BOOST_TEST(await([&] { return host().environments() == 0 && host().threads() == 0; }));
}

BOOST_AUTO_TEST_CASE(every_callback_comes_exactly_once_with_misbehaving_handlers_in_between) {
  GatewayOptions quiet = options();
  quiet.log_sink = std::make_shared<MemoryLogSink>(1 << 16);
  quiet.quotas.account_concurrency = 32;
  quiet.quotas.unreserved_concurrency_min = 1;
  Gateway gateway(quiet);
  gateway.create_function(function("mixed", "stamp"));
  const std::vector<std::string> scripts = {
      "stamp", "fail=E",      "exit=1",        "stamp",           "twice;stamp", "oom",
      "stamp", "out=3;stamp", "discard;stamp", "elsewhere;stamp", "stamp"};
  const int calls = calls_per_thread() / 2;
  std::vector<std::atomic<int>> times(static_cast<std::size_t>(calls));
  std::atomic<int> answered{0};
  for (int i = 0; i < calls; ++i) {
    const std::string& script = scripts[static_cast<std::size_t>(i) % scripts.size()];
    gateway.invoke({.function = "mixed", .payload = do_script(script)}, [&, i](InvokeResult) {
      ++times[static_cast<std::size_t>(i)];
      ++answered;
    });
  }
  BOOST_TEST(await([&] { return answered >= calls; }, 60s));
  BOOST_TEST(gateway.invoke({.function = "mixed"}).ok());
  for (const std::atomic<int>& count : times) BOOST_REQUIRE(count == 1);
  const FunctionUsage usage = gateway.usage("mixed");
  BOOST_TEST(usage.requests + usage.throttles == static_cast<std::uint64_t>(calls) + 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace lambed::testing
