// The test's side of tests/worker_driver: a launcher process with one plugin, and the workers that it forks.
//
// Use from one thread. Workers that still live when the launcher object goes are killed.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "support/host_harness.h"
#include "support/worker_messages.h"

namespace lambed::testing {

// How a process ended.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;
};

class WorkerLauncher;

// One worker process: one environment.
class Worker {
 public:
  Worker(WorkerLauncher& launcher, const EnvironmentSpec& spec);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  pid_t pid() const { return pid_; }
  // Threads that the launcher had just before it forked this worker.
  int launcher_threads() const { return launcher_threads_; }

  // What `opened` said; nothing when the process ended, or the time, before that.
  std::optional<Outcome> wait_opened();
  std::uint64_t submit(const InvocationSpec& invocation);
  std::optional<Outcome> wait_outcome(std::uint64_t token);
  std::optional<Outcome> try_invoke(const std::string& event);
  // Throws when the worker gives no answer.
  Outcome invoke(const std::string& event);
  // Lets the environment end by itself.
  void close();
  // Waits for the process's end.
  ProcessEnd wait_end();

  // What came by `log` so far, all streams or one; and what was written to descriptors 1 and 2. Waits until it contains `text`.
  std::string log(int stream = 0) const;
  bool wait_output(const std::string& text);
  const std::string& output() const { return output_; }

  // Bytes of memory that this process shares with nobody.
  std::uint64_t private_memory() const;

 private:
  // Reads what there is, waits for something until `end`. False when nothing can come any more.
  bool pump(std::chrono::steady_clock::time_point end);
  void note(nlohmann::json message);

  WorkerLauncher& launcher_;
  int socket_ = -1;
  int output_end_ = -1;
  pid_t pid_ = 0;
  int launcher_threads_ = 0;
  bool has_ended_ = false;
  FrameReader reader_;
  std::optional<Outcome> opened_;
  std::map<std::uint64_t, Outcome> outcomes_;
  std::vector<std::pair<int, std::string>> log_;
  std::string output_;
  std::uint64_t next_token_ = 1;
};

class WorkerLauncher {
 public:
  // Throws std::runtime_error with the plugin's message. The launcher's environment variables are `variables`.
  explicit WorkerLauncher(const std::string& plugin_path, const Pairs& options = {},
                          const Pairs& variables = {{"PATH", "/usr/bin:/bin"}, {"LAUNCHER_ONLY", "1"}});
  ~WorkerLauncher();
  WorkerLauncher(const WorkerLauncher&) = delete;
  WorkerLauncher& operator=(const WorkerLauncher&) = delete;

  std::unique_ptr<Worker> launch(const EnvironmentSpec& spec) {
    return std::make_unique<Worker>(*this, spec);
  }
  // Launches and waits for its init; throws std::runtime_error with what was said when that fails.
  std::unique_ptr<Worker> open(const EnvironmentSpec& spec);
  // After the plugin was loaded and started.
  int threads() const { return threads_; }
  pid_t pid() const { return pid_; }

 private:
  friend class Worker;
  DriverReply ask(const DriverRequest& request, const int* descriptors, int count) const;

  int control_ = -1;
  pid_t pid_ = 0;
  int threads_ = 0;
};

}  // namespace lambed::testing
