// The soak: three languages in one process, 64 calls in flight, every twentieth misbehaving in every way that can be contained
// in process (docs/isolation.md), functions updated, deleted and made again meanwhile. With --isolation process the functions run
// in workers, and misbehave in every way there is.
//
// Exit status 0 only when every call was answered exactly once and with the right document, the memory stayed flat (the last
// quarter's median at most 3 % above the second's, and what chance adds in so short a time, of samples taken while no call runs that
// takes memory on purpose, with what environments take that were more or fewer left out: soak/flatness.h), and no environment, thread,
// file, process or control group is left at the end.
#include <lambed/gateway.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "soak/flatness.h"
#include "soak/functions.h"
#include "soak/load.h"
#include "soak/observation.h"

namespace {

using namespace lambed;
using namespace lambed::soak;
namespace fs = std::filesystem;

// What is resident without environments differs by a tenth from run to run, whether they last one minute or ten: pages of Ruby's
// heap and of the allocator that a few living objects keep. More than this is a leak.
constexpr double kMostLeft = 1.2;
// Share of calls, on a machine that others use too.
constexpr double kMostLate = 0.02;
constexpr std::chrono::seconds kFirstUse{6};  // everything has been used once
// Until allocators, caches, the heaps of environments that stay and their numbers are as large as they become: in a run of four
// minutes the memory rose by a tenth until then, and stayed.
constexpr std::chrono::seconds kWarmUp{90};
// Of a run that does not judge the memory.
constexpr std::chrono::seconds kShortFirstUse{2};
constexpr std::chrono::seconds kShortWarmUp{1};
// Every environment is a process or more there, with a seventh of a core.
constexpr int kInFlightInWorkers = 12;
constexpr std::size_t kLanguages = 3;
constexpr std::size_t kMostHierarchies = 4;  // of control groups: memory, cpu, pids, and the one that freezes
constexpr std::chrono::seconds kDrainPatience{60};
constexpr std::chrono::seconds kEndPatience{20};
constexpr std::chrono::seconds kSettling{4};  // threads that wait for further work end after two

// A tracing sink would measure itself; this one proves that records come, and drops them.
class CountingSink : public LogSink {
 public:
  void write(const LogRecord& record) override {
    ++records_;
    if (record.kind == LogKind::kNotice)
      std::fprintf(stderr, "notice: %.*s\n", static_cast<int>(record.text.size()), record.text.data());
  }
  long records() const { return records_.load(); }

 private:
  std::atomic<long> records_{0};
};

class Verdict {
 public:
  void check(bool holds, const std::string& what) {
    if (holds) return;
    std::printf("FAILED: %s\n", what.c_str());
    good_ = false;
  }
  bool is_good() const { return good_; }

 private:
  bool good_ = true;
};

bool await(const std::function<bool()>& condition, std::chrono::seconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::string joined(const std::vector<std::string>& words) {
  std::map<std::string, int> counts;
  for (const std::string& word : words) ++counts[word];
  std::string text;
  for (const auto& [word, count] : counts)
    text += " " + word + (count > 1 ? " x" + std::to_string(count) : "");
  return text;
}

void print(const LoadTally& tally, double seconds) {
  std::printf("\n%-8s %-20s %10s %8s\n", "language", "deed", "calls", "wrong");
  long bad = 0;
  for (const auto& [names, deed] : tally.deeds) {
    std::printf("%-8s %-20s %10ld %8ld%s%s\n", names.first.c_str(), names.second.c_str(), deed.calls,
                deed.wrong, deed.first_fault.empty() ? "" : "  ", deed.first_fault.c_str());
    if (!deed.is_good) bad += deed.calls;
  }
  std::printf(
      "%ld calls, %.0f a second, %.2f %% misbehaving; %ld answered by a version that does not parse, %ld "
      "while deleted\n",
      tally.calls, static_cast<double>(tally.calls) / seconds,
      100.0 * static_cast<double>(bad) / static_cast<double>(std::max(tally.calls, 1L)), tally.broken,
      tally.absent);
}

void print(const Flatness& flatness) {
  std::printf("resident memory by quarter, MB:");
  for (std::size_t i = 0; i < kQuarters; ++i)
    std::printf(" %.1f (%.0f environments, %zu samples)", flatness.median_kb[i] / 1024,
                flatness.environments[i], flatness.samples[i]);
  std::printf(
      "\n  as with the average number of environments (%.1f MB each of Python, %.1f of Node.js, %.1f of "
      "Ruby):",
      flatness.kb_each[0] / 1024, flatness.kb_each[1] / 1024, flatness.kb_each[2] / 1024);
  for (const double kb : flatness.comparable_kb) std::printf(" %.1f", kb / 1024);
  std::printf("\n");
}

// tools/dev/soak_series.py reads it.
void print_growth(const Flatness& flatness, double most) {
  std::printf(
      "growth from the second quarter to the last: %+.1f %% as measured, %+.1f %% with the average number of "
      "environments; at most %+.1f %% in a run of this length\n",
      100 * flatness.measured_growth, 100 * flatness.growth, 100 * most);
}

class OwnTemporaryFolder {
 public:
  OwnTemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "lambed-soak-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
    fs::permissions(path_, fs::perms(0755));  // workers run as somebody else
  }
  ~OwnTemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  OwnTemporaryFolder(const OwnTemporaryFolder&) = delete;
  OwnTemporaryFolder& operator=(const OwnTemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }
  bool is_empty() const { return fs::is_empty(path_); }

 private:
  fs::path path_;
};

// The .pth files of an installation run in every environment that is opened: hundreds of modules, on some machines. A virtual
// environment has none, so that the soak is the same everywhere. Empty when there is no Python to make one.
std::string bare_python(const fs::path& folder) {
  for (const std::string name : {"python3.11", "python3"}) {
    const std::string command =
        name + " -I -m venv --without-pip '" + folder.string() + "' >/dev/null 2>&1 </dev/null";
    if (std::system(command.c_str()) == 0 && fs::exists(folder / "bin" / "python3"))
      return (folder / "bin" / "python3").string();
  }
  return {};
}

bool is_quiet(Gateway& gateway) {
  const GatewayStatus status = gateway.status();
  return status.opening + status.idle + status.busy + status.interrupting + status.abandoned +
             status.in_flight ==
         0;
}

// A program of many threads: left alone, glibc's arenas keep several times of what is in use (docs/isolation.md).
void keep_memory_small() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, static_cast<int>(2 * std::max(1u, std::thread::hardware_concurrency())));
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}

struct SoakOptions {
  std::chrono::seconds duration{60};
  bool judge_memory = true;
  std::chrono::seconds tell_every{0};  // 0: only at the end
};

void tell_memory(double seconds, Gateway& gateway) {
  const GatewayStatus status = gateway.status();
  const Allocated allocated = allocated_kb();
  std::printf("%4.0f s: %ld MB resident, %ld MB allocated, %ld MB kept; %d environments\n", seconds,
              resident_kb() / 1024, allocated.in_use / 1024, allocated.kept / 1024,
              status.idle + status.busy + status.interrupting + status.abandoned);
}

bool run_soak(const SoakOptions& soak, const LoadOptions& load_options) {
  Verdict verdict;
  const std::chrono::seconds warm_up_time = soak.judge_memory ? kWarmUp : kShortWarmUp;
  const OwnTemporaryFolder python_folder;
  // Everything that the gateway unpacks comes here, so that what is left can be seen.
  const OwnTemporaryFolder folder;
  setenv("TMPDIR", folder.path().c_str(), 1);
  const auto sink = std::make_shared<CountingSink>();
  GatewayOptions options;
  options.log_sink = sink;
  options.idle_expiry = std::chrono::seconds(20);
  if (const std::string python = uses_workers() ? "" : bare_python(python_folder.path() / "python");
      !python.empty())
    options.host_options["python"]["interpreter"] = python;

  // What is there when everything has been used once and all environments are gone.
  {
    Gateway gateway(options);
    Functions functions(gateway);
    Load warm_up(gateway, functions, load_options);
    warm_up.start();
    std::this_thread::sleep_for(soak.judge_memory ? kFirstUse : kShortFirstUse);
    verdict.check(warm_up.drain(kDrainPatience), "calls of the warm-up got no answer");
    functions.delete_all();
    await([&] { return is_quiet(gateway); }, kEndPatience);
  }
  std::vector<std::string> threads;
  std::size_t fewest = SIZE_MAX;
  double rest = 0;  // resident memory without environments, in kB
  await(
      [&] {
        threads = thread_names();
        fewest = std::min(fewest, threads.size());
        rest = static_cast<double>(resident_kb());
        return false;
      },
      kSettling);
  std::printf("threads without environments:%s\n", joined(threads).c_str());

  std::optional<Gateway> owner(std::in_place, options);
  Gateway& gateway = *owner;
  LoadTally tally;
  Flatness flatness;
  double took = 0;
  {
    Functions functions(gateway);
    Load load(gateway, functions, load_options);
    functions.start_changing();
    load.start();
    std::this_thread::sleep_for(warm_up_time);
    const auto begin = std::chrono::steady_clock::now();
    // What an evil call takes while it runs says nothing about what is kept.
    MemoryCurve memory(soak.duration, [&load] { return load.is_light(); });
    const auto end = begin + soak.duration;
    long known = 0;
    auto told = begin;
    auto progress = begin;
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now(),
                                                                     std::chrono::seconds(1)));
      if (soak.tell_every.count() > 0 && std::chrono::steady_clock::now() - told >= soak.tell_every) {
        told = std::chrono::steady_clock::now();
        tell_memory(std::chrono::duration<double>(told - begin).count(), gateway);
      }
      if (load.calls() != known) progress = std::chrono::steady_clock::now();
      known = load.calls();
      if (std::chrono::steady_clock::now() - progress > kDrainPatience)
        break;  // it hangs: the rest is no use
    }
    memory.stop();
    took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin + warm_up_time).count();
    functions.stop_changing();
    verdict.check(load.drain(kDrainPatience), "calls got no answer");
    tally = load.tally();
    flatness = flatness_of(memory.samples());
    verdict.check(functions.problem().empty(), "a function could not be changed: " + functions.problem());
    std::printf("%ld changes of functions\n", functions.changes());
    const GatewayStatus status = gateway.status();
    std::printf(
        "environments at the end of the load: %d idle, %d interrupting, %d abandoned; %llu late "
        "completions\n",
        status.idle, status.interrupting, status.abandoned,
        static_cast<unsigned long long>(status.late_completions));
    functions.delete_all();
    // A slot whose answer is lost would be answered into freed memory.
    if (tally.lost > 0) std::_Exit(1);
  }
  print(tally, took);
  print(flatness);
  std::printf("processor: %.0f s, log records: %ld\n", processor_seconds(), sink->records());

  verdict.check(tally.calls > 0, "there were no calls");
  if (tally.late > 0) std::printf("%ld calls found their environment not up after ten seconds\n", tally.late);
  verdict.check(static_cast<double>(tally.late) <= kMostLate * static_cast<double>(tally.calls),
                "environments do not come up in time");
  verdict.check(tally.wrong == 0, std::to_string(tally.wrong) + " wrong answers");
  verdict.check(tally.twice == 0, std::to_string(tally.twice) + " calls were answered twice");
  verdict.check(await([&] { return is_quiet(gateway); }, kEndPatience), "environments are left");
  owner.reset();
  verdict.check(await([&] { return folder.is_empty(); }, kEndPatience),
                "files of deleted functions are left");
  double rest_now = 0;
  const bool memory_is_back = await(
      [&] {
        rest_now = static_cast<double>(resident_kb());
        return rest_now <= rest * kMostLeft;
      },
      kEndPatience);
  std::printf("resident memory without environments: %.1f MB before, %.1f MB after\n", rest / 1024,
              rest_now / 1024);
  if (soak.judge_memory) {
    const double most = most_growth(soak.duration);
    print_growth(flatness, most);
    verdict.check(std::min(flatness.samples[1], flatness.samples[3]) >= 20,
                  "there are too few samples of the memory to judge it");
    verdict.check(flatness.growth <= most, "the memory grows");
    verdict.check(memory_is_back, "the memory does not come back");
  }
  const bool few_threads = await([&] { return thread_names().size() <= fewest; }, kEndPatience);
  verdict.check(few_threads, "threads are left:" + joined(thread_names()));
  if (uses_workers()) {
    // The launchers of three languages, and what each keeps in stock: two processes a worker, and a group in each hierarchy.
    // Beside each launcher, as root, the process that makes images for /tmp.
    const auto stock = static_cast<std::size_t>(options.worker_stock);
    verdict.check(await([] { return children() <= kLanguages; }, kEndPatience), "launchers are left");
    const auto most_processes = [&] { return children() * (2 + 2 * stock); };
    const auto most_groups = [&] { return children() * stock * kMostHierarchies; };
    verdict.check(await([&] { return processes_below().size() <= most_processes(); }, kEndPatience),
                  "processes are left:" + joined(processes_below()));
    verdict.check(await([&] { return control_groups() <= most_groups(); }, kEndPatience),
                  "control groups are left");
    std::printf(
        "without environments: %zu launchers, %zu processes (at most %zu), %zu control groups (at most "
        "%zu)\n",
        children(), processes_below().size(), most_processes(), control_groups(), most_groups());
  }
  return verdict.is_good();
}

}  // namespace

int main(int count, char** words) {
  CLI::App app{"Runs functions of three languages that misbehave, and checks every answer."};
  double minutes = 1;
  int seconds = 0;
  int tell_every = 0;
  bool is_short = false;
  std::string isolation = "in_process";
  LoadOptions load;
  app.add_option("--minutes", minutes, "how long (default 1)");
  app.add_option("--seconds", seconds, "how long, in seconds");
  const CLI::Option* in_flight =
      app.add_option("--in-flight", load.in_flight, "calls in flight (default 64; 12 in workers)");
  app.add_option("--misbehaving", load.misbehaving, "share of the calls that misbehave (default 0.05)");
  app.add_option("--seed", load.seed, "of the choice of calls (default 1)");
  app.add_flag("--short", is_short, "tell the memory but do not judge it: seconds are too few for that");
  app.add_option("--tell-every", tell_every, "seconds between lines about the memory (default: none)");
  app.add_option("--isolation", isolation,
                 "where the functions run (default in_process); in workers they also crash, fork and "
                 "take memory, as they cannot be let do here")
      ->check(CLI::IsMember({"in_process", "process"}));
  CLI11_PARSE(app, count, words);
  if (isolation == "process") {
    use_workers();
    if (in_flight->count() == 0) load.in_flight = kInFlightInWorkers;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  keep_memory_small();
  try {
    SoakOptions soak;
    soak.duration =
        seconds > 0 ? std::chrono::seconds(seconds) : std::chrono::seconds(static_cast<long>(minutes * 60));
    soak.judge_memory = !is_short;
    soak.tell_every = std::chrono::seconds(tell_every);
    const bool good = run_soak(soak, load);
    std::printf("%s\n", good ? "soak: all as it should be" : "soak: FAILED");
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "soak: %s\n", error.what());
    return 2;
  }
}
