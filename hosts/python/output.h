// What a function prints, on its way to the core: Python's streams, and those of the processes it starts.
#pragma once

#include <lambed/host.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace lambed::python {

// One environment's output. Any thread. Outlives the environment: a thread that the handler left behind may still print,
// into nothing.
class Output {
 public:
  Output(const lambed_core* core, void* user) : core_(core), user_(user) {}
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Collects until the end of a line, so that `print`, which writes text and newline apart, gives one record.
  void write(lambed_stream stream, std::string_view text);
  // A record of its own, at once.
  void log(std::string_view text);
  void flush();
  // Passes on what is still held back, and what child processes have written until now.
  void end_of_invocation();
  // The descriptor that a child process gets as its stdout or stderr: made at the first call, -1 when that fails. Owned by
  // this object. The child's output arrives by a thread that ends with the last writer.
  static int child_descriptor(const std::shared_ptr<Output>& output, lambed_stream stream);
  // This process is a child of the function's: its core is the parent's. From now on everything goes to descriptors 1 and 2.
  // With the interpreter's lock, under which all writing is done in a process that may fork.
  void enter_forked();
  // Nothing passes from now on; the core's `user` is not touched again.
  void shut();

 private:
  struct Pipe {
    int read_end = -1;
    int write_end = -1;
  };
  void drain_children();
  void emit(lambed_stream stream, std::string_view text);  // mutex_ is held
  bool drain(lambed_stream stream);                        // false when no writer is left
  static void follow(std::shared_ptr<Output> output, lambed_stream stream, int descriptor);

  std::mutex mutex_;  // guards everything below, and keeps records of one stream in order
  const lambed_core* core_;
  void* user_;  // null once shut
  bool is_forked_ = false;
  std::string pending_[2];
  Pipe children_[2];
  std::atomic<bool> has_children_{false};
};

}  // namespace lambed::python
