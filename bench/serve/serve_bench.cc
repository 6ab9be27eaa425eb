// What `lambed serve` costs over HTTP: one function per language against the ceiling, which is the same server answering a
// constant, in one process and sitting; the control plane against the disk's own fsyncs; 10,000 stored functions.
//
// Clients are threads of this process and use processor time of the same machine, in the ceiling and in ours alike.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "api/api.h"
#include "base/digest.h"
#include "base/parker.h"
#include "figures.h"
#include "gateway/durable_storage.h"
#include "http/client.h"
#include "http/server.h"

namespace bench {
namespace {

using namespace lambed;
using nlohmann::json;
namespace fs = std::filesystem;

constexpr char kPayload[] =
    R"({"name":"Ada","items":[1,2,3],"text":"a hundred bytes or so, as events are","flag":true})";

class Constant final : public http::Application {
 public:
  Admission admit(const http::Request&) override { return {std::nullopt, 1 << 20}; }
  void handle(http::Exchange exchange) override {
    http::Response response;
    response.with("Content-Type", "application/json")
        .with("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000");
    response.body = kPayload;
    exchange.respond(std::move(response));
  }
  http::Response refuse(int status, std::string_view, const http::Request*, std::uint64_t) override {
    http::Response response;
    response.status = status;
    return response;
  }
};

struct Measured {
  Samples latency;
  double rate = 0;
};

Measured load(std::uint16_t port, const std::string& function, int connections,
              std::chrono::milliseconds span) {
  Measured all;
  std::mutex mutex;  // guards all
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (int c = 0; c < connections; ++c) {
    threads.emplace_back([&] {
      http::Client client("127.0.0.1", port, std::chrono::seconds(60));
      http::Request request;
      request.method = "POST";
      request.target = "/2015-03-31/functions/" + function + "/invocations";
      request.body = kPayload;
      Samples mine;
      while (Clock::now() - begin < span) {
        http::Response answer;
        mine.add(time_of([&] { answer = client.send(request); }));
        if (answer.status != 200) {
          std::fprintf(stderr, "bench: status %d: %s\n", answer.status, answer.body.c_str());
          std::exit(1);
        }
      }
      const std::lock_guard lock(mutex);
      all.latency.add(mine);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  all.rate = static_cast<double>(all.latency.size()) / seconds;
  return all;
}

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "lambed-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder can be made");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string file(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(path_) / fs::path(name).parent_path());
    std::ofstream(path_ + "/" + name) << content;
    return path_ + "/" + fs::path(name).parent_path().string();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Language {
  const char* name;
  const char* runtime;
  const char* file;
  const char* source;
  double share;     // of the ceiling's rate at 16 connections that is the target
  double floor_us;  // what `./dev bench` measures for the bare interpreter with 100 bytes
};
constexpr Language kLanguages[] = {
    {"python", "python3.11", "app.py", "def handler(event, context):\n    return event\n", 0.5, 2.6},
    {"nodejs", "nodejs20.x", "app.mjs", "export const handler = async (event) => event;\n", 0.7, 1.3},
    {"ruby", "ruby3.2", "app.rb", "def handler(event:, context:)\n  event\nend\n", 0.5, 1.7},
};

// There and back between two threads that sleep in between; the median of a thousand.
double parked_hand_off_us() {
  Parker ping;
  Parker pong;
  std::atomic<bool> ended{false};
  std::thread other([&] {
    for (;;) {
      ping.park(kNever, 0);
      if (ended) return;
      pong.unpark();
    }
  });
  Samples samples;
  for (int i = 0; i < 1'000; ++i) {
    samples.add(time_of([&] {
      ping.unpark();
      pong.park(kNever, 0);
    }));
  }
  ended = true;
  ping.unpark();
  other.join();
  return samples.median_ns() / 1e3;
}

api::ApiOptions options_for_bench() {
  api::ApiOptions options;
  // Logs on, and kept; written nowhere, since a terminal's speed is nothing of ours.
  options.log_sink = nullptr;
  return options;
}

// A server's port and the function that is invoked there.
struct Side {
  std::uint16_t port = 0;
  std::string function;
  Samples latency;
  std::vector<double> rates;
  std::vector<double> medians;  // of each block
  void take(int connections, std::chrono::milliseconds span) {
    const Measured m = load(port, function, connections, span);
    latency.add(m.latency);
    rates.push_back(m.rate);
    medians.push_back(m.latency.median_ns());
  }
};

// Blocks of both in turn, since the machine may be another's from one second to the next.
void measure_language(const Language& language, std::uint16_t ceiling_port, std::uint16_t port,
                      std::chrono::milliseconds span, Table& table, Targets& targets) {
  constexpr int kBlocks = 9;
  load(port, language.name, 16, span / 4);
  for (const int connections : {1, 16}) {
    Side ceiling{ceiling_port, "constant", {}, {}, {}};
    Side ours{port, language.name, {}, {}, {}};
    for (int block = 0; block < kBlocks; ++block) {
      ceiling.take(connections, span / kBlocks);
      ours.take(connections, span / kBlocks);
    }
    std::vector<double> shares;
    std::vector<double> extra;
    for (int block = 0; block < kBlocks; ++block) {
      const auto at = static_cast<std::size_t>(block);
      shares.push_back(ours.rates[at] / ceiling.rates[at]);
      extra.push_back(ours.medians[at] - ceiling.medians[at]);
    }
    for (const auto& [name, side] :
         {std::pair<std::string, const Side&>{"ceiling", ceiling}, {std::string(language.name), ours}}) {
      table.row({name, std::to_string(connections), number_text(median(side.rates), 0),
                 duration_text(side.latency.median_ns()), duration_text(side.latency.quantile_ns(0.99)),
                 &side == &ours ? number_text(median(shares), 2) : std::string()});
    }
    if (connections == 16) {
      targets.at_least(std::string(language.name) + ", 16 connections, share of the ceiling's rate",
                       median(shares), language.share, "x");
    } else {
      targets.at_most(std::string(language.name) + ", 1 connection, p50 over the ceiling's",
                      median(extra) / 1e3, language.floor_us + parked_hand_off_us() + 10, " us");
    }
  }
}

void measure_invocations(std::chrono::milliseconds span, Targets& targets) {
  const Folder folder;
  Constant constant;
  http::Server ceiling({}, constant);
  api::Api api(options_for_bench());
  http::Server server({}, api);
  std::printf(
      "Invocations over HTTP, logs kept, 100-byte events, %.1f s each in blocks that take turns with the "
      "ceiling's\n",
      std::chrono::duration<double>(span).count());
  Table table({"what", "connections", "requests/s", "p50", "p99", "share"});
  for (const Language& language : kLanguages) {
    const std::string code = folder.file(std::string(language.name) + "/" + language.file, language.source);
    CreateFunctionRequest request;
    request.name = language.name;
    request.runtime = language.runtime;
    request.handler = "app.handler";
    request.code = Code::directory(code);
    request.timeout_s = 60;
    const auto made = api.default_scope().catalog().create_function(request);
    http::Client client("127.0.0.1", server.port(), std::chrono::seconds(60));
    http::Request probe;
    probe.method = "POST";
    probe.target = "/2015-03-31/functions/" + request.name + "/invocations";
    probe.body = "{}";
    if (!made.ok() || client.send(probe).status != 200) {
      std::printf("  %s is not installed here: left out\n", language.name);
      continue;
    }
    measure_language(language, ceiling.port(), server.port(), span, table, targets);
  }
  table.print();
}

double fsyncs_per_second(const std::string& folder, std::chrono::milliseconds span) {
  const int file = ::open((folder + "/fsync").c_str(), O_WRONLY | O_CREAT, 0600);
  const std::string block(4096, 'x');
  int count = 0;
  const auto begin = Clock::now();
  while (Clock::now() - begin < span) {
    if (::pwrite(file, block.data(), block.size(), static_cast<off_t>(count % 1000) * 4096) < 0 ||
        ::fdatasync(file) != 0)
      break;
    ++count;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  ::close(file);
  return count / seconds;
}

double updates_per_second(std::uint16_t port, int clients, std::chrono::milliseconds span) {
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      http::Client client("127.0.0.1", port, std::chrono::seconds(60));
      http::Request request;
      request.method = "POST";
      request.target =
          "/2017-03-31/tags/arn:aws:lambda:us-east-1:123456789012:function:f" + std::to_string(c);
      for (int i = 0; Clock::now() - begin < span; ++i) {
        request.body = json{{"Tags", {{"n", std::to_string(i)}}}}.dump();
        if (client.send(request).status == 204) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return done / std::chrono::duration<double>(Clock::now() - begin).count();
}

void measure_control_plane(std::chrono::milliseconds span, Targets& targets) {
  const Folder folder;
  gateway::DurableStorage storage(folder.path() + "/data");
  api::ApiOptions options = options_for_bench();
  options.storage = storage.storage();
  api::Api api(std::move(options));
  http::Server server({}, api);
  for (int i = 0; i < 16; ++i) {
    CreateFunctionRequest request;
    request.name = "f" + std::to_string(i);
    request.runtime = "python3.11";
    request.handler = "app.handler";
    request.code = Code::inline_source("def handler(e, c): return e\n");
    api.default_scope().catalog().create_function(request).value();
    static_cast<void>(api.default_scope().catalog().settle(request.name));
  }
  const double disk = fsyncs_per_second(folder.path(), span);
  const double one = updates_per_second(server.port(), 1, span);
  const auto before = storage.commits();
  const double many = updates_per_second(server.port(), 16, span);
  const auto commits = static_cast<double>(storage.commits() - before);
  std::printf("\nControl plane on disk (TagResource)\n");
  Table table({"what", "per second"});
  table.row({"fsyncs of 4 KB by the disk", number_text(disk, 0)});
  table.row({"changes, 1 client", number_text(one, 0)});
  table.row({"changes, 16 clients", number_text(many, 0)});
  table.row({"  changes that shared a commit",
             number_text(many * std::chrono::duration<double>(span).count() / std::max(1.0, commits), 1)});
  table.print();
  targets.at_least("changes, 16 clients, of the disk's fsyncs", many / disk, 0.5, "x");
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// In a process of its own (--stored-child), whose memory holds nothing else.
int stored_child(const std::string& data) {
  const auto begin = Clock::now();
  gateway::DurableStorage storage(data);
  api::ApiOptions options = options_for_bench();
  options.storage = storage.storage();
  api::Api api(std::move(options));
  http::Server server({}, api);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  const double mb = static_cast<double>(resident_bytes()) / 1e6;
  load(server.port(), "function-0", 1, std::chrono::milliseconds(500));
  const Samples latency = load(server.port(), "function-0", 1, std::chrono::seconds(2)).latency;
  std::printf("%.0f %.0f %.0f\n", ms, mb, latency.median_ns());
  return 0;
}

void store_functions(const std::string& data, int count) {
  gateway::DurableStorage storage(data);
  api::ApiOptions options = options_for_bench();
  options.storage = storage.storage();
  api::Api api(std::move(options));
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < count; i += 16) {
        CreateFunctionRequest request;
        request.name = "function-" + std::to_string(i);
        request.runtime = "python3.11";
        request.handler = "app.handler";
        request.environment = {{"STAGE", "bench"}, {"NUMBER", std::to_string(i)}};
        request.code = Code::inline_source("def handler(e, c): return " + std::to_string(i % 50) + "\n");
        api.default_scope().catalog().create_function(request).value();
        static_cast<void>(api.default_scope().catalog().settle(request.name));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Stored {
  double start_ms = 0, memory_mb = 0, invoke_ns = 0;
};

Stored start_stored(const std::string& self, const std::string& data) {
  std::FILE* child = ::popen((self + " --stored-child " + data).c_str(), "r");
  Stored told;
  if (child == nullptr ||
      std::fscanf(child, "%lf %lf %lf", &told.start_ms, &told.memory_mb, &told.invoke_ns) != 3)
    throw std::runtime_error("the child did not answer");
  ::pclose(child);
  return told;
}

void measure_stored(const std::string& self, Targets& targets) {
  const Folder folder;
  const std::string one = folder.path() + "/one";
  const std::string many = folder.path() + "/many";
  store_functions(one, 1);
  store_functions(many, 10'000);
  std::vector<double> starts, memories, ratios;
  Samples with_one, with_many;
  for (int repetition = 0; repetition < 5; ++repetition) {
    const Stored few = start_stored(self, one);
    const Stored all = start_stored(self, many);
    starts.push_back(all.start_ms);
    memories.push_back(all.memory_mb);
    ratios.push_back(all.invoke_ns / few.invoke_ns);
    with_one.add(Nanos(static_cast<long long>(few.invoke_ns)));
    with_many.add(Nanos(static_cast<long long>(all.invoke_ns)));
  }
  std::printf(
      "\n10,000 stored functions: started in %.0f ms, %.0f MB before the first invocation; an invocation "
      "takes %s (p50, 1 "
      "connection), %s with one stored function\n",
      median(starts), median(memories), duration_text(with_many.median_ns()).c_str(),
      duration_text(with_one.median_ns()).c_str());
  targets.at_most("10,000 functions, start", median(starts), 1000, " ms");
  targets.at_most("10,000 functions, memory", median(memories), 100, " MB");
  targets.at_most("10,000 functions, an invocation, of one with one function", median(ratios), 1.1, "x");
}

int run(int argc, char** argv) {
  std::chrono::milliseconds span{5000};
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      span = std::chrono::milliseconds(300);
    } else if (word == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else if (word == "--stored-child" && i + 1 < argc) {
      return stored_child(argv[++i]);
    } else {
      std::fputs("bench_serve [--quick] [--only invocations|control-plane|stored]\n",
                 word == "--help" ? stdout : stderr);
      return word == "--help" ? 0 : 2;
    }
  }
  Targets targets;
  if (only.empty() || only == "invocations") measure_invocations(span, targets);
  if (only.empty() || only == "control-plane") measure_control_plane(span, targets);
  if (only.empty() || only == "stored") measure_stored(argv[0], targets);
  targets.print();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_serve: %s\n", error.what());
    return 1;
  }
}
