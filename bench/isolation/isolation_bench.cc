// Isolation `process` side by side with `in_process`, in one sitting: a warm call, a large one, the first one, memory, and many
// environments at once. Run by `./dev bench isolation`.
#include <dirent.h>
#include <fcntl.h>
#include <lambed/gateway.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "environments/channel/server_end.h"
#include "environments/channel/worker_end.h"
#include "invocation/outcomes.h"

namespace {

using Clock = std::chrono::steady_clock;
using lambed::Isolation;

struct Language {
  const char* name;
  const char* runtime;
  const char* handler;
  const char* source;
};

constexpr Language kLanguages[] = {
    {"python", "python3.11", "app.handler",
     "import time\ndef handler(event, context):\n    if isinstance(event, dict) and 'hold' in event: "
     "time.sleep(event['hold'])\n"
     "    return event\n"},
    {"node", "nodejs18.x", "app.handler",
     "exports.handler = async (event) => {\n  if (event && event.hold) await new Promise((r) => "
     "setTimeout(r, event.hold * "
     "1000));\n  return event;\n};\n"},
    {"ruby", "ruby3.2", "app.handler",
     "def handler(event:, context:)\n  sleep(event['hold']) if event.is_a?(Hash) && event['hold']\n  "
     "event\nend\n"},
};

class DroppingSink final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
};

double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

lambed::GatewayOptions options() {
  lambed::GatewayOptions o;
  o.log_sink = std::make_shared<DroppingSink>();
  o.worker_stock = 0;
  return o;
}

void create(lambed::Gateway& gateway, const std::string& name, const Language& language, Isolation isolation,
            int memory_mb) {
  gateway.create_function({.name = name,
                           .runtime = language.runtime,
                           .handler = language.handler,
                           .code = lambed::Code::inline_source(language.source),
                           .timeout_s = 60,
                           .memory_mb = memory_mb,
                           .isolation = isolation});
}

void call(lambed::Gateway& gateway, const std::string& name, const std::string& payload) {
  const lambed::InvokeResult result = gateway.invoke({.function = name, .payload = payload});
  if (result.ok()) return;
  std::fprintf(stderr, "bench_isolation: %s: %s\n", name.c_str(), result.payload.c_str());
  std::exit(1);
}

struct Warm {
  double p50 = 0, p99 = 0;
};

// The two isolations take turns, so that what else the machine does meets both.
std::map<std::string, Warm> measure_warm(lambed::Gateway& gateway, const std::vector<std::string>& names,
                                         const std::string& payload, int rounds, int calls) {
  std::map<std::string, std::vector<double>> times;
  for (const std::string& name : names)
    for (int i = 0; i < std::min(calls, 50); ++i) call(gateway, name, payload);
  for (int round = 0; round < rounds; ++round) {
    for (const std::string& name : names) {
      call(gateway, name, payload);  // thawed, and the caches its own
      for (int i = 0; i < calls; ++i) {
        const auto begin = Clock::now();
        call(gateway, name, payload);
        times[name].push_back(microseconds(Clock::now() - begin));
      }
    }
  }
  std::map<std::string, Warm> found;
  for (const auto& [name, values] : times) found[name] = {quantile(values, 0.5), quantile(values, 0.99)};
  return found;
}

double copy_time(std::size_t bytes) {
  const std::string from(bytes, 'x');
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) {
    const auto begin = Clock::now();
    const std::string copy(from.data(), from.size());
    if (copy[bytes / 2] != 'x') std::abort();
    times.push_back(microseconds(Clock::now() - begin));
  }
  return quantile(times, 0.5);
}

// Proportional set size of what runs below this process, by generation: launchers, then workers.
struct Pss {
  long launchers_kb = 0, workers_kb = 0;
  int launchers = 0, workers = 0;
};

long pss_of(long pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  while (file >> word) {
    long kb = 0;
    if (word == "Pss:" && file >> kb) return kb;
  }
  return 0;
}

Pss pss_below() {
  std::multimap<long, long> children;
  DIR* folder = opendir("/proc");
  while (const dirent* entry = folder == nullptr ? nullptr : readdir(folder)) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (pid <= 0 || !std::getline(file, line)) continue;
    std::istringstream rest(line.substr(line.rfind(')') + 1));
    char state = 0;
    long parent = 0;
    if (rest >> state >> parent) children.emplace(parent, pid);
  }
  if (folder != nullptr) closedir(folder);
  Pss found;
  std::vector<long> parents;
  const auto [begin, end] = children.equal_range(getpid());
  for (auto it = begin; it != end; ++it) {
    found.launchers_kb += pss_of(it->second);
    ++found.launchers;
    parents.push_back(it->second);
  }
  while (!parents.empty()) {
    const long parent = parents.back();
    parents.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto it = first; it != last; ++it) {
      found.workers_kb += pss_of(it->second);
      ++found.workers;
      parents.push_back(it->second);
    }
  }
  return found;
}

void measure(const Language& language, bool quick) {
  std::printf("\n%s\n", language.name);
  lambed::GatewayOptions unfrozen = options();
  unfrozen.freeze_after = std::chrono::milliseconds(0);
  {
    lambed::Gateway gateway(unfrozen);
    create(gateway, "here", language, Isolation::kInProcess, 1792);
    create(gateway, "apart", language, Isolation::kProcess, 1792);
    create(gateway, "small", language, Isolation::kProcess, 128);
    const std::string small = "\"" + std::string(98, 'x') + "\"";
    const auto warm =
        measure_warm(gateway, {"here", "apart", "small"}, small, quick ? 3 : 15, quick ? 100 : 400);
    std::printf(
        "  warm 100 B      in_process %8.1f us (p99 %8.1f)   process %8.1f us (p99 %8.1f)   +%.1f us\n",
        warm.at("here").p50, warm.at("here").p99, warm.at("apart").p50, warm.at("apart").p99,
        warm.at("apart").p50 - warm.at("here").p50);
    std::printf("  at 128 MB                                           process %8.1f us (p99 %8.1f)\n",
                warm.at("small").p50, warm.at("small").p99);
    const std::string large = "\"" + std::string(6 * 1024 * 1024 - 2, 'x') + "\"";
    const auto big = measure_warm(gateway, {"here", "apart"}, large, quick ? 2 : 5, quick ? 3 : 10);
    const double copy = copy_time(large.size());
    std::printf(
        "  6 MB            in_process %8.0f us                    process %8.0f us   one copy %.0f us: %.2f "
        "copies "
        "each way more\n",
        big.at("here").p50, big.at("apart").p50, copy, (big.at("apart").p50 - big.at("here").p50) / copy / 2);
  }
  // A new function each time: nothing of it is warm but the launcher; and with a stock, a worker that waits.
  struct Start {
    const char* name;
    Isolation isolation;
    int stock;
  };
  for (const Start& start :
       {Start{"in_process", Isolation::kInProcess, 0}, Start{"process, stock 0", Isolation::kProcess, 0},
        Start{"process, stock 2", Isolation::kProcess, 2}}) {
    lambed::GatewayOptions stocked = unfrozen;
    stocked.worker_stock = start.stock;
    lambed::Gateway gateway(stocked);
    std::vector<double> times;
    for (int i = -1; i < (quick ? 5 : start.stock > 0 ? 15 : 25); ++i) {
      const std::string name = "f" + std::to_string(i + 1);
      create(gateway, name, language, start.isolation, 1792);
      const auto begin = Clock::now();
      call(gateway, name, "{}");
      // The first one starts the host.
      if (i >= 0) times.push_back(microseconds(Clock::now() - begin) / 1000);
      gateway.delete_function(name);
      // Until the stock is full again, on a busy machine too.
      if (start.stock > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    }
    std::printf("  first response  %-16s %6.1f ms (p90 %.1f)\n", start.name, quantile(times, 0.5),
                quantile(times, 0.9));
  }
  {
    lambed::GatewayOptions freezing = options();
    freezing.freeze_after = std::chrono::milliseconds(20);
    lambed::Gateway gateway(freezing);
    create(gateway, "apart", language, Isolation::kProcess, 1792);
    call(gateway, "apart", "{}");
    std::vector<double> times;
    for (int i = 0; i < (quick ? 5 : 30); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const auto begin = Clock::now();
      call(gateway, "apart", "{}");
      times.push_back(microseconds(Clock::now() - begin));
    }
    std::printf("  after a thaw    process %.0f us (p90 %.0f)\n", quantile(times, 0.5), quantile(times, 0.9));
  }
}

// What the memory that server and worker share makes 6 MB cost on their way in and out, up to the result that a caller gets. Both
// ends in this process and on one thread, so that nothing but copying is measured. Copies take turns with them: one into fresh
// memory, as a result needs it, and one into memory that is in use; what lies between the two is the kernel's work for pages.
void measure_copies(bool quick) {
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);  // every large block is fresh memory, as in `lambed serve`
  constexpr std::size_t kBytes = 6 * 1024 * 1024;
  namespace channel = lambed::channel;
  const std::string large(kBytes, 'x');
  auto memory = channel::SharedMemory::create(
      {.order = kBytes + channel::kTextBytes, .answer = kBytes + channel::kTextBytes});
  if (!memory.ok()) std::abort();
  auto other = channel::SharedMemory::open(lambed::Descriptor(fcntl(memory->file(), F_DUPFD_CLOEXEC, 0)));
  if (!other.ok()) std::abort();
  channel::ServerEnd server(std::move(*memory));
  channel::WorkerEnd worker(std::move(*other));
  std::string used = large;
  std::vector<double> copies, used_copies, in, out;
  for (std::uint64_t round = 1; round <= (quick ? 20 : 200); ++round) {
    const auto begin = Clock::now();
    const std::string copy(large.data(), large.size());
    if (copy[kBytes / 2] != 'x') std::abort();
    const auto copied_fresh = Clock::now();
    used.assign(copy);
    const auto copied = Clock::now();
    channel::Order order;
    order.token = round;
    order.event = large;
    lambed_invocation invocation{};
    if (!server.post(order) || !worker.take(invocation)) std::abort();
    const auto there = Clock::now();
    lambed_outcome outcome{};
    outcome.payload = {large.data(), large.size()};
    worker.answer(channel::AnswerKind::kCompleted, round, outcome);
    channel::Answer answer;
    if (server.look(answer) != channel::News::kAnswer) std::abort();
    outcome.payload = {answer.payload.data(), answer.payload.size()};
    const std::string result = lambed::invocation::answer_of(outcome, "id", lambed::Quotas{}).payload;
    if (result[kBytes / 2] != 'x') std::abort();
    const auto back = Clock::now();
    if (round == 1) continue;  // the pages of the memory are new
    copies.push_back(microseconds(copied_fresh - begin));
    used_copies.push_back(microseconds(copied - copied_fresh));
    in.push_back(microseconds(there - copied));
    out.push_back(microseconds(back - there));
  }
  const double copy = quantile(copies, 0.5);
  std::printf("\n6 MB: one copy into fresh memory %.0f us, into used memory %.0f us\n", copy,
              quantile(used_copies, 0.5));
  std::printf(
      "  the way in %.0f us: %.2f copies; the way out, to the caller's result, %.0f us: %.2f copies\n",
      quantile(in, 0.5), quantile(in, 0.5) / copy, quantile(out, 0.5), quantile(out, 0.5) / copy);
}

// Many environments alive at once: each call holds one.
void measure_many(const Language& language, int environments) {
  lambed::GatewayOptions many = options();
  many.freeze_after = std::chrono::milliseconds(0);
  lambed::Gateway gateway(many);
  create(gateway, "apart", language, Isolation::kProcess, 128);
  call(gateway, "apart", "{}");
  const Pss before = pss_below();
  const auto begin = Clock::now();
  std::vector<std::future<lambed::InvokeResult>> calls;
  const std::string payload = R"({"hold":)" + std::to_string(environments / 10) + "}";
  for (int i = 0; i < environments; ++i)
    calls.push_back(gateway.invoke_future({.function = "apart", .payload = payload}));
  int alive = 0;
  for (int i = 0; i < 600 && alive < environments; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    alive = gateway.status().busy;
  }
  const double took = microseconds(Clock::now() - begin) / 1e6;
  const Pss after = pss_below();
  int ok = 0;
  for (auto& one : calls) ok += one.get().ok() ? 1 : 0;
  std::printf("\n%d environments of %s: %d at work at once after %.1f s, %d answered\n", environments,
              language.name, alive, took, ok);
  std::printf(
      "  PSS: launcher %.1f MB; each worker beyond it %.2f MB (init and handler)\n",
      static_cast<double>(before.launchers_kb) / 1024,
      static_cast<double>(after.workers_kb + after.launchers_kb - before.workers_kb - before.launchers_kb) /
          1024 / std::max(1, alive - 1));
}

}  // namespace

int main(int count, char** words) {
  bool quick = false;
  std::string only;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(words[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(words[i], "--language") == 0 && i + 1 < count) {
      only = words[++i];
    } else {
      std::printf("bench_isolation [--quick] [--language python|node|ruby|none]\n");
      return 2;
    }
  }
  if (only.empty() || only == "none") measure_copies(quick);
  if (only == "none") return 0;
  for (const Language& language : kLanguages)
    if (only.empty() || only == language.name) measure(language, quick);
  measure_many(kLanguages[0], quick ? 20 : 200);
  return 0;
}
