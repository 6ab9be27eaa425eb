// Another program, started by a test: its input, its two outputs, how it ended. Nothing outlives the object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace lambed::testing {

struct ChildOptions {
  std::string input = {};                             // on its standard input, then end of file
  std::string folder = {};                            // where it runs; empty: where the test runs
  std::map<std::string, std::string> variables = {};  // on top of the test's own
};

struct ChildEnd {
  int exit_code = -1;           // -1: ended by a signal
  int signal = 0;               // 0: exited
  bool killed_by_test = false;  // it did not end in time
  std::string out;
  std::string err;
  std::chrono::milliseconds duration{};
};

// One thread at a time.
class ChildProcess {
 public:
  // Throws std::runtime_error when the program cannot be started.
  explicit ChildProcess(const std::vector<std::string>& words, ChildOptions options = {});
  ~ChildProcess();  // kills it if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // False when the text does not come on standard error, or output, before the child ends or the time is over.
  bool wait_for_error_text(const std::string& text, std::chrono::milliseconds limit);
  bool wait_for_output_text(const std::string& text, std::chrono::milliseconds limit);
  // What has come on standard error so far, as far as it was waited for.
  const std::string& error_text() const { return end_.err; }
  void send_signal(int signal) const;
  // Waits for its end; after `limit` it is killed and the answer says so.
  ChildEnd wait(std::chrono::milliseconds limit = std::chrono::minutes(2));

 private:
  bool pump(std::chrono::milliseconds limit);  // false: both outputs have ended
  bool wait_for_text(const std::string& seen, const std::string& text, std::chrono::milliseconds limit);

  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  int error_ = -1;
  std::string input_text_;
  ChildEnd end_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Starts it and waits for its end.
ChildEnd run_program(const std::vector<std::string>& words, ChildOptions options = {},
                     std::chrono::milliseconds limit = std::chrono::minutes(2));

}  // namespace lambed::testing
