// What lambed costs: everything measured against the bare interpreter, interleaved, in one process and
// sitting.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

constexpr const char* kHelp =
    "bench_invoke [--language python] [--only SECTION[,SECTION...]] [--quick] [--floor-only]\n"
    "  --language L   which host to measure (default python)\n"
    "  --only         some of: back-to-back, in-flight, pause, cold-start, memory, growth, timeouts\n"
    "  --quick        seconds instead of minutes; shows that everything works, its figures are rough\n"
    "  --floor-only   the floor in a process without anything of ours, to see what sharing the process costs "
    "it\n"
    "Targets are for a quiet machine; a missed one does not change the exit status.\n";

struct Arguments {
  std::string language = "python";
  std::string only;
  bool quick = false;
  bool floor_only = false;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--language" && has_value) {
      arguments.language = argv[++i];
    } else if (word == "--only" && has_value) {
      arguments.only = argv[++i];
    } else if (word == "--quick") {
      arguments.quick = true;
    } else if (word == "--floor-only") {
      arguments.floor_only = true;
    } else {
      std::fputs(kHelp, word == "--help" ? stdout : stderr);
      std::exit(word == "--help" ? 0 : 2);
    }
  }
  return arguments;
}

// Logs are written somewhere in earnest; here they only must not pile up.
class DroppingSink final : public lambed::LogSink {
 public:
  void write(const lambed::LogRecord&) override {}
};

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lambed-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder can be made");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void run_floor_only(const Subject& subject, const std::string& folder) {
  const std::unique_ptr<Floor> floor = subject.make_floor(true);
  const std::unique_ptr<Lane> lane = floor->open_lane(folder);
  std::printf("%s %s, nothing of lambed in the process\n", subject.language.c_str(),
              floor->version().c_str());
  Table table({"payload", "p50", "p99"});
  lane->enter();
  for (const Payload& payload : kPayloads) {
    const std::string event = event_of(payload.size);
    Samples samples;
    const auto end = Clock::now() + std::chrono::seconds(1);
    while (Clock::now() < end) samples.add(time_of([&] { lane->call(event); }));
    table.row({payload.name, duration_text(samples.median_ns()), duration_text(samples.quantile_ns(0.99))});
  }
  lane->leave();
  table.print();
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const Subject* const subject = subject_of(arguments.language);
  if (subject == nullptr) {
    std::fprintf(stderr, "bench: there is no floor for %s yet\n", arguments.language.c_str());
    return 2;
  }
  const Folder folder;
  std::ofstream(folder.path() + "/" + subject->file_name) << subject->source;
  if (arguments.floor_only) {
    run_floor_only(*subject, folder.path());
    return 0;
  }

  lambed::GatewayOptions options;
  options.log_sink = std::make_shared<DroppingSink>();
  lambed::Gateway gateway(options);
  // The host starts with the first invocation; the floor then finds its interpreter running.
  gateway.create_function({.name = "first",
                           .runtime = subject->runtime,
                           .handler = "app.handler",
                           .code = lambed::Code::directory(folder.path())});
  expect_ok(gateway.invoke({.function = "first"}));
  gateway.delete_function("first");
  const std::unique_ptr<Floor> floor = subject->make_floor(false);

  Targets targets;
  Sitting sitting{*subject, folder.path(), gateway, *floor, arguments.quick ? Scale::quick() : Scale{},
                  targets};
  std::printf("%s %s, %u cores, %s\n", subject->language.c_str(), floor->version().c_str(),
              std::thread::hardware_concurrency(),
              floor->shares_one_lock() ? "one lock for all interpreters" : "a lock for each interpreter");
  const auto wanted = [&](const std::string& section) {
    return arguments.only.empty() ||
           ("," + arguments.only + ",").find("," + section + ",") != std::string::npos;
  };
  if (wanted("back-to-back")) measure_back_to_back(sitting);
  if (wanted("in-flight")) measure_in_flight(sitting, 16);
  if (wanted("pause")) measure_after_pause(sitting);
  if (wanted("cold-start")) measure_cold_start(sitting);
  if (wanted("memory")) measure_memory(sitting);
  if (wanted("growth")) measure_growth(sitting);
  if (wanted("timeouts")) measure_timeouts(sitting);
  std::printf("\nTargets\n");
  targets.print();
  gateway.close();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
