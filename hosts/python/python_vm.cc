#include "python_vm.h"

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <cwchar>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "bootstrap_source.h"
#include "interpreter_search.h"
#include "lock_sharing.h"
#include "memory.h"
#include "signals.h"

namespace lambed::python {

namespace {

constexpr std::chrono::milliseconds kLongestStop{1000};  // host.h: stop is bounded
constexpr std::size_t kMostRemembered = 10000;
constexpr int kFileInput = 257;  // Py_file_input
constexpr int kMarshalVersion = 4;

std::string option(const lambed_host_options* options, std::string_view name) {
  for (std::size_t i = 0; i < options->option_count; ++i) {
    const lambed_option& each = options->options[i];
    if (std::string_view(each.name.data, each.name.size) == name)
      return std::string(each.value.data, each.value.size);
  }
  return {};
}

std::string text_of_status(const Status& status) {
  const std::string function = status.function == nullptr ? "" : std::string(status.function) + ": ";
  return function + (status.message == nullptr ? "no reason given" : status.message);
}

}  // namespace

PythonVm& PythonVm::instance() {
  static PythonVm* const vm = new PythonVm;
  return *vm;
}

std::string PythonVm::start(const lambed_core* core, const lambed_host_options* options) {
  InterpreterSearch search;
  if (options->context != LAMBED_CONTEXT_PYTHON) {
    search = find_interpreter(option(options, "interpreter"));
    if (!search.failure.empty()) return search.failure;  // may be tried again with another one
  }
  {
    std::lock_guard lock(mutex_);
    if (started_) return "Python can be started once in a process";
  }
  core_ = core;
  context_ = static_cast<lambed_context>(options->context);
  const SignalDispositions unchanged;
  const std::string failure = is_ours() ? start_own(search) : attach();
  if (failure.empty() && !py.at_least(3, 13) && !is_worker()) {
    LockSharing::instance().enable();
    if (!is_ours()) LockSharing::instance().enter();  // the application always has something to run
  }
  if (failure.empty()) runs_.store(true, std::memory_order_release);
  return failure;
}

std::string PythonVm::load_own(const InterpreterSearch& search) {
  if (!search.notice.empty()) notice(nullptr, search.notice);
  path_ = search.found.library;
  {
    // What follows cannot be tried again.
    std::lock_guard lock(mutex_);
    started_ = true;
  }
  // Global, because extension modules expect Python's symbols there without naming libpython. Never RTLD_DEEPBIND: that
  // breaks `environ` inside node.
  void* const library = dlopen(path_.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return "cannot load " + path_ + ": " + dlerror();
  if (const std::string missing = load_python(library); !missing.empty()) return path_ + " has no " + missing;
  if (py.Py_IsInitialized() != 0) {
    return "this process runs a Python interpreter already: use lambed's Python package inside Python "
           "programs";
  }
  return {};
}

std::string PythonVm::start_own(const InterpreterSearch& search) {
  std::string failure = load_own(search);
  if (!failure.empty()) return failure;
  // A thread would be lost in every fork.
  if (is_worker()) return initialise(search.found.program);
  try {
    const AllSignalsBlocked blocked;
    std::thread([this, program = search.found.program, &failure] { own_thread(program, &failure); }).detach();
  } catch (const std::system_error& error) {
    return std::string("cannot make a thread for Python: ") + error.what();
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_; });
  return failure;
}

void PythonVm::own_thread(const std::string& program, std::string* failure) {
  *failure = initialise(program);
  const bool failed = !failure->empty();
  std::unique_lock lock(mutex_);
  ready_ = true;
  changed_.notify_all();  // *failure belongs to the waiter from here on
  if (failed) return;
  changed_.wait(lock, [this] { return stopping_; });
  lock.unlock();
  // Python wants to be finalised by the thread that initialised it.
  py.PyEval_RestoreThread(own_state_);
  py.Py_FinalizeEx();
  lock.lock();
  stopped_ = true;
  changed_.notify_all();
}

std::string PythonVm::initialise(const std::string& program) {
  PreConfiguration before{};
  py.PyPreConfig_InitIsolatedConfig(&before);
  before.utf8_mode = 1;
  Status status = py.Py_PreInitialize(&before);
  if (py.PyStatus_Exception(status) != 0) return text_of_status(status);
  if (!is_worker()) counts_memory_ = install_memory_hooks(false);

  // The executable's path decides about the prefix, a virtual environment and site-packages.
  std::vector<wchar_t> wide(program.size() + 1);
  std::mbstate_t conversion{};
  const char* source = program.c_str();
  if (std::mbsrtowcs(wide.data(), &source, wide.size(), &conversion) == static_cast<std::size_t>(-1)) {
    return program + " is not a path in the current locale";
  }
  py.Py_SetProgramName(wide.data());

  static Configuration configuration;  // too large for a stack, and Python may keep pointers into it
  py.PyConfig_InitIsolatedConfig(
      &configuration);  // no signal handlers, no PYTHON* variables, no command line
  status = py.Py_InitializeFromConfig(&configuration);
  py.PyConfig_Clear(&configuration);
  if (py.PyStatus_Exception(status) != 0) return "Python did not start: " + text_of_status(status);
  PythonLock lock;
  main_ = py.PyInterpreterState_Main();
  version_ = py.version_text();
  if (has_own_locks() && !is_worker()) import_shared_types(lock);
  std::string failure = compile_bootstrap(lock);
  if (failure.empty() && is_worker() && !run_source(lock, kWarmUpSource)) {
    failure = "Python " + version_ + " cannot import the modules of its standard library";
  }
  if (failure.empty() && !is_worker()) failure = shorten_turns(lock);
  own_state_ = py.PyEval_SaveThread();
  return failure;
}

// LockSharing says why. Only of a Python that is ours: an application's is its own affair.
std::string PythonVm::shorten_turns(PythonLock& lock) {
  if (run_source(lock, "import sys; sys.setswitchinterval(0.0005)")) return {};
  return "Python " + version_ + " does not set its switch interval";
}

bool PythonVm::run_source(PythonLock&, const char* source) {
  const Ref code = Ref::steal(py.Py_CompileString(source, "<lambed>", kFileInput));
  const Ref globals = Ref::steal(py.PyDict_New());
  if (code && globals) py.PyDict_SetItemString(globals.get(), "__builtins__", py.PyEval_GetBuiltins());
  const Ref done =
      code && globals ? Ref::steal(py.PyEval_EvalCode(code.get(), globals.get(), globals.get())) : Ref();
  if (done) return true;
  py.PyErr_Clear();
  return false;
}

bool PythonVm::before_fork() {
  if (!runs() || !is_worker()) return false;
  py.PyEval_RestoreThread(own_state_);
  PythonLock lock;
  // The collector would write into every object it looks at, and so copy its page in each worker.
  if (!is_frozen_) is_frozen_ = run_source(lock, "import gc; gc.collect(); gc.freeze()");
  py.PyOS_BeforeFork();
  return true;
}

void PythonVm::after_fork(bool is_child) {
  is_child ? py.PyOS_AfterFork_Child() : py.PyOS_AfterFork_Parent();
  own_state_ = py.PyEval_SaveThread();
}

std::string PythonVm::attach() {
  if (const std::string missing = load_python(RTLD_DEFAULT); !missing.empty()) {
    return "the running Python does not export " + missing;
  }
  if (py.Py_IsInitialized() == 0) return "no Python interpreter runs in this process";
  Dl_info where{};
  if (dladdr(reinterpret_cast<void*>(py.Py_IsInitialized), &where) != 0 && where.dli_fname != nullptr) {
    path_ = where.dli_fname;
  }
  {
    std::lock_guard lock(mutex_);
    started_ = true;
  }
  main_ = py.PyInterpreterState_Main();
  version_ = py.version_text();
  // A thread of its own visits: the calling thread's state is the binding's, which lets go of the lock around this call.
  std::string failure;
  std::thread([this, &failure] {
    PyThreadState* const state = py.PyThreadState_New(main_);
    py.PyEval_RestoreThread(state);
    PythonLock lock;
    counts_memory_ = install_memory_hooks(true);
    if (has_own_locks()) import_shared_types(lock);
    failure = compile_bootstrap(lock);
    py.PyThreadState_Clear(state);
    py.PyThreadState_DeleteCurrent();
  }).join();
  return failure;
}

void PythonVm::import_shared_types(PythonLock&) {
  // All interpreters share the static types of datetime, which keep tuples of the first interpreter that imported it; when
  // another one ends, 3.13 frees them with its own allocator. The main interpreter's last as long as the process.
  const Ref module = Ref::steal(py.PyImport_ImportModule("_datetime"));
  if (!module) py.PyErr_Clear();
}

std::string PythonVm::compile_bootstrap(PythonLock&) {
  const Ref code = Ref::steal(py.Py_CompileString(kBootstrapSource, "<lambed>", kFileInput));
  const Ref bytes = code ? Ref::steal(py.PyMarshal_WriteObjectToString(code.get(), kMarshalVersion)) : Ref();
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (!bytes || py.PyBytes_AsStringAndSize(bytes.get(), &data, &size) != 0) {
    py.PyErr_Clear();
    return "the bootstrap does not compile with Python " + version_;
  }
  bootstrap_code_.assign(data, static_cast<std::size_t>(size));
  return {};
}

void PythonVm::stop() {
  if (!runs_.exchange(false)) return;
  if (!is_ours() || live_interpreters_.load() != 0) return;
  if (is_worker())
    return;  // workers and their launchers keep nothing that the process's end does not give back
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  changed_.wait_for(lock, kLongestStop, [this] { return stopped_; });
}

void PythonVm::notice(void* user, const std::string& message) const {
  core_->notice(user, {message.data(), message.size()});
}

bool PythonVm::needs_main(const std::string& code_id) {
  std::lock_guard lock(mutex_);
  return needing_main_.count(code_id) != 0;
}

void PythonVm::remember_needs_main(const std::string& code_id) {
  std::lock_guard lock(mutex_);
  if (needing_main_.size() < kMostRemembered) needing_main_.insert(code_id);
}

}  // namespace lambed::python
