#include "isolation/starts.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <lambed/gateway.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "floor.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using lambed::Isolation;

constexpr const char* kSource = "exports.handler = async (event) => event;\n";

class DroppingSink final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
};

double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::unique_ptr<lambed::Gateway> gateway_with_stock(int stock) {
  lambed::GatewayOptions options;
  options.log_sink = std::make_shared<DroppingSink>();
  options.worker_stock = stock;
  options.freeze_after = std::chrono::milliseconds(0);
  return std::make_unique<lambed::Gateway>(options);
}

double first_response(lambed::Gateway& gateway, Isolation isolation) {
  gateway.create_function({.name = "f",
                           .runtime = "nodejs18.x",
                           .handler = "app.handler",
                           .code = lambed::Code::inline_source(kSource),
                           .memory_mb = 1792,
                           .isolation = isolation});
  const auto begin = Clock::now();
  const lambed::InvokeResult result = gateway.invoke({.function = "f", .payload = "{}"});
  const auto end = Clock::now();
  if (!result.ok()) end_by_failure("starts", result.payload);
  gateway.delete_function("f");
  return milliseconds(end - begin);
}

// `node -e 0`, whichever node comes first on the path; below 0: there is none.
double start_of_node() {
  const char* words[] = {"node", "-e", "0", nullptr};
  pid_t pid = -1;
  const auto begin = Clock::now();
  if (posix_spawnp(&pid, "node", nullptr, nullptr, const_cast<char* const*>(words), environ) != 0) return -1;
  int status = 0;
  waitpid(pid, &status, 0);
  return status == 0 ? milliseconds(Clock::now() - begin) : -1;
}

// A new environment of the libnode that the host has started, with nothing of ours in it, up to its handler's answer.
double bare_start(Floor& floor, const std::string& folder) {
  double took = 0;
  std::thread([&] {
    const auto begin = Clock::now();
    const auto lane = floor.open_lane(folder, "handler");
    lane->hold([&] { lane->call("{}"); });
    took = milliseconds(Clock::now() - begin);
  }).join();
  return took;
}

Floor* load_floor() {
  const std::string file = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "floor_node.so";
  void* module = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  auto* make =
      module == nullptr ? nullptr : reinterpret_cast<Floor* (*)(int)>(dlsym(module, "lambed_bench_floor"));
  return make == nullptr ? nullptr : make(0);
}

}  // namespace

void measure_starts(int rounds) {
  const auto here = gateway_with_stock(0);
  const auto apart = gateway_with_stock(0);
  const auto stocked = gateway_with_stock(2);
  char folder[] = "/tmp/lambed-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) end_by_failure("starts", "no temporary folder");
  std::ofstream(std::string(folder) + "/app.js") << kSource;
  first_response(*here, Isolation::kInProcess);  // starts the host, which the floor shares
  Floor* const floor = load_floor();
  std::map<std::string, std::vector<double>> times;
  std::vector<std::string> order;
  const auto note = [&](const std::string& name, double took, bool counts) {
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
    if (counts && took >= 0) times[name].push_back(took);
  };
  for (int round = -1; round < rounds; ++round) {
    const auto settle = [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); };
    const bool counts = round >= 0;
    if (floor != nullptr) note("bare environment of libnode", bare_start(*floor, folder), counts);
    note("node -e 0", start_of_node(), counts);
    settle();
    note("in_process", first_response(*here, Isolation::kInProcess), counts);
    settle();
    note("process, stock 0", first_response(*apart, Isolation::kProcess), counts);
    settle();
    note("process, stock 2", first_response(*stocked, Isolation::kProcess), counts);
    // Until the stock is full again, on a busy machine too.
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  }
  std::filesystem::remove_all(folder);
  std::printf("\nFirst response of Node.js (%d by turns)\n", rounds);
  for (const std::string& name : order) {
    std::vector<double>& sorted = times[name];
    if (sorted.empty()) continue;
    std::sort(sorted.begin(), sorted.end());
    std::printf("  %-30s %6.1f ms (p10 %.1f, p90 %.1f)\n", name.c_str(), sorted[sorted.size() / 2],
                sorted[sorted.size() / 10], sorted[sorted.size() * 9 / 10]);
  }
}

}  // namespace bench
