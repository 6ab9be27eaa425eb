// The one CPython of this process: ours, on a thread of its own; the application's, which we only visit; or, in a worker and its
// launcher, the process's own, on its first thread.
#pragma once

#include <lambed/host.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

#include "interpreter_search.h"
#include "python_api.h"

namespace lambed::python {

class PythonVm {
 public:
  // The one of this process. Never destroyed: abandoned environments may use it after main has returned.
  static PythonVm& instance();

  // Returns an empty string or what went wrong and what to do about it. Blocks. Once per process.
  std::string start(const lambed_core* core, const lambed_host_options* options);
  // Ends the interpreter if it is ours and nothing runs in it. Takes 1 s at most.
  void stop();
  bool runs() const { return runs_.load(std::memory_order_acquire); }

  const lambed_core* core() const { return core_; }
  PyInterpreterState* main_interpreter() const { return main_; }
  bool is_ours() const { return context_ != LAMBED_CONTEXT_PYTHON; }
  bool in_node() const { return context_ == LAMBED_CONTEXT_NODE; }
  // The process is the function's own, and this plugin's calls come from its first thread.
  bool is_worker() const { return context_ == LAMBED_CONTEXT_WORKER; }
  // Around a fork, in a worker's launcher; see host.h. False: the interpreter cannot be copied.
  bool before_fork();
  void after_fork(bool is_child);
  // The first thread's state, in a worker. Nobody uses it while the environment does not.
  PyThreadState* own_state() const { return own_state_; }
  // Sub-interpreters have a lock of their own. From 3.13 on only: 3.12.1 corrupts its heap that way.
  bool has_own_locks() const { return py.at_least(3, 13); }
  bool counts_memory() const { return counts_memory_; }
  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  // The compiled bootstrap, in marshal's format.
  const std::string& bootstrap_code() const { return bootstrap_code_; }
  void notice(void* user, const std::string& message) const;

  // Environments whose interpreter exists or is being made. While there is one, the VM cannot be finalised: that aborts before
  // 3.13. False, and not counted, when the VM has been told to stop.
  bool count_interpreter() {
    live_interpreters_.fetch_add(1);
    if (runs_.load()) return true;
    discount_interpreter();
    return false;
  }
  void discount_interpreter() { live_interpreters_.fetch_sub(1); }

  // Code known to need the main interpreter, by code_id. Any thread.
  bool needs_main(const std::string& code_id);
  void remember_needs_main(const std::string& code_id);

 private:
  PythonVm() = default;
  std::string start_own(const InterpreterSearch& search);
  std::string load_own(const InterpreterSearch& search);
  std::string attach();
  std::string initialise(const std::string& program);  // on the VM's own thread
  void import_shared_types(PythonLock& lock);
  std::string compile_bootstrap(PythonLock& lock);
  std::string shorten_turns(PythonLock& lock);
  bool run_source(PythonLock& lock, const char* source);
  void own_thread(const std::string& program, std::string* failure);

  const lambed_core* core_ = nullptr;
  lambed_context context_ = LAMBED_CONTEXT_PROGRAM;
  PyInterpreterState* main_ = nullptr;
  PyThreadState* own_state_ = nullptr;  // the VM thread's, or in a worker the first thread's
  bool is_frozen_ = false;              // what exists is not looked at by Python's garbage collector any more
  bool counts_memory_ = false;
  std::string version_;
  std::string path_;
  std::string bootstrap_code_;
  std::atomic<bool> runs_{false};
  std::atomic<int> live_interpreters_{0};

  std::mutex mutex_;  // guards the members below
  std::condition_variable changed_;
  bool started_ = false;  // an interpreter was chosen: a second start is refused
  bool ready_ = false;    // the VM's thread has initialised, or failed to
  bool stopping_ = false;
  bool stopped_ = false;
  std::set<std::string> needing_main_;
};

}  // namespace lambed::python
