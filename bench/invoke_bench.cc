// What lambed costs: everything measured against the bare interpreter, interleaved, in one process and
// sitting.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>

#include "sitting.h"

namespace bench {
namespace {

constexpr const char* kHelp =
    "bench_invoke [--language L] [--only SECTION[,SECTION...]] [--quick] [--floor-only]\n"
    "bench_invoke --mixed [--quick]\n"
    "  --language L   which host to measure: python (default), nodejs (or node), ruby\n"
    "  --only         some of: back-to-back, in-flight, two-threads, pause, cold-start, memory, growth, "
    "timeouts\n"
    "  --quick        seconds instead of minutes; shows that everything works, its figures are rough\n"
    "  --floor-only   the floor in a process without anything of ours, to see what sharing the process costs "
    "it\n"
    "  --mixed        all languages at once, each against itself alone\n"
    "Targets are for a quiet machine; a missed one does not change the exit status.\n";

struct Arguments {
  std::string language = "python";
  std::string only;
  bool quick = false;
  bool floor_only = false;
  bool mixed = false;
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
    } else if (word == "--mixed") {
      arguments.mixed = true;
    } else {
      std::fputs(kHelp, word == "--help" ? stdout : stderr);
      std::exit(word == "--help" ? 0 : 2);
    }
  }
  return arguments;
}

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
  std::printf("%s %s, nothing of lambed in the process\n", subject.language.c_str(),
              floor->version().c_str());
  Table table({"payload", "p50", "p99"});
  floor->run([&] {
    const std::unique_ptr<Lane> lane = floor->open_lane(folder);
    lane->hold([&] {
      for (const Payload& payload : kPayloads) {
        const std::string event = event_of(payload.size);
        Samples samples;
        const auto end = Clock::now() + std::chrono::seconds(1);
        while (Clock::now() < end) samples.add(time_of([&] { lane->call(event); }));
        table.row(
            {payload.name, duration_text(samples.median_ns()), duration_text(samples.quantile_ns(0.99))});
      }
    });
  });
  table.print();
}

void write_subject(const Subject& subject, const std::string& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/" + subject.file_name) << subject.source;
  if (!subject.entrance.empty()) {
    const std::string extension = std::filesystem::path(subject.file_name).extension().string();
    std::ofstream(folder + "/entrance" + extension) << subject.entrance;
  }
}

// The host starts with the first invocation; the floor then finds its interpreter running.
std::unique_ptr<Floor> floor_in(lambed::Gateway& gateway, const Subject& subject, const std::string& folder) {
  const bool has_entrance = !subject.entrance.empty();
  gateway.create_function(
      {.name = "first",
       .runtime = subject.runtime,
       .handler = has_entrance ? "entrance.handler" : "app.handler",
       .code = lambed::Code::directory(folder),
       .timeout_s = 60,
       .environment = std::map<std::string, std::string>{{"FLOOR", floor_module(subject.language)}}});
  expect_ok(gateway.invoke({.function = "first"}));
  gateway.delete_function("first");
  return subject.make_floor(false);
}

int run_mixed(const Arguments& arguments, const std::string& folder) {
  std::vector<std::string> folders;
  for (const Subject* subject : all_subjects()) {
    folders.push_back(folder + "/" + subject->language);
    write_subject(*subject, folders.back());
  }
  Targets targets;
  measure_mixed(folders, arguments.quick ? Scale::quick() : Scale{}, targets);
  std::printf("\nTargets\n");
  targets.print();
  return 0;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const Subject* const subject = subject_of(arguments.language);
  if (subject == nullptr) {
    std::fprintf(stderr, "bench: there is no floor for %s\n", arguments.language.c_str());
    return 2;
  }
  const Folder folder;
  if (arguments.mixed) return run_mixed(arguments, folder.path());
  write_subject(*subject, folder.path());
  if (arguments.floor_only) {
    run_floor_only(*subject, folder.path());
    return 0;
  }

  lambed::GatewayOptions options;
  options.log_sink = std::make_shared<DroppingSink>();
  lambed::Gateway gateway(options);
  std::unique_ptr<Floor> floor = floor_in(gateway, *subject, folder.path());

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
  if (wanted("two-threads")) measure_two_threads(sitting);
  if (wanted("pause")) measure_after_pause(sitting);
  if (wanted("cold-start")) measure_cold_start(sitting);
  if (wanted("memory")) measure_memory(sitting);
  if (wanted("growth")) measure_growth(sitting);
  if (wanted("timeouts")) measure_timeouts(sitting);
  std::printf("\nTargets\n");
  targets.print();
  floor.reset();  // before its interpreter
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
