#include "callable_host.h"

#define PY_SSIZE_T_CLEAN  // lengths of "s#" are Py_ssize_t
#include <Python.h>
#include <lambed/embedding.h>
#include <pthread.h>

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

// Plain C API on these threads, and no destructor that asks for the GIL: a thread that comes back from a long call when the
// interpreter has ended is unwound by Python from within PyEval_RestoreThread.
struct lambed_environment {
  void* user = nullptr;
  std::string callable_id;  // the key of lambed._callables
  std::string function_name, memory_mb, log_group, log_stream;
  std::mutex mutex;                     // guards what follows
  std::uint64_t running = 0;            // the token of the invocation that runs
  std::uint64_t interrupted = 0;        // told to stop
  unsigned long thread_identifier = 0;  // as Python knows it
  int uses = 1;                         // the thread's, and one for each interruption under way
};

namespace lambed::bindings {
namespace {

using Environment = lambed_environment;

const lambed_core* g_core = nullptr;

lambed_slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string text_of(lambed_slice s) { return s.size == 0 ? std::string() : std::string(s.data, s.size); }

void let_go(Environment* environment) {
  bool last = false;
  {
    std::lock_guard lock(environment->mutex);
    last = --environment->uses == 0;
  }
  if (last) delete environment;
}

// ---- Interruption. PyThreadState_SetAsyncExc needs the GIL, which the core's loop must never wait for: a thread of its own.

class Interrupter {
 public:
  static Interrupter& instance() {
    static auto* const kInterrupter =
        new Interrupter();  // never destroyed: its thread may wait for the GIL at exit
    return *kInterrupter;
  }

  void interrupt(Environment* environment, std::uint64_t token) {
    std::lock_guard lock(mutex_);
    if (!started_) {
      started_ = true;
      std::thread([this] { run(); }).detach();
    }
    requests_.push_back({environment, token});
    changed_.notify_one();
  }

 private:
  struct Request {
    Environment* environment;
    std::uint64_t token;
  };

  void run() {
    pthread_setname_np(pthread_self(), "lambed-interrupt");
    for (;;) {
      Request request{};
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !requests_.empty(); });
        request = requests_.front();
        requests_.pop_front();
      }
      const PyGILState_STATE state = PyGILState_Ensure();
      raise_in(*request.environment, request.token);
      PyGILState_Release(state);
      let_go(request.environment);
    }
  }

  static void raise_in(Environment& environment, std::uint64_t token) {
    unsigned long thread = 0;
    {
      std::lock_guard lock(environment.mutex);
      if (environment.running != token) return;
      thread = environment.thread_identifier;
    }
    // With the GIL held it cannot come to its end in between.
    PyObject* const module = PyImport_ImportModule("lambed.errors");
    PyObject* const type =
        module == nullptr ? nullptr : PyObject_GetAttrString(module, "InvocationInterrupted");
    if (type != nullptr) PyThreadState_SetAsyncExc(thread, type);
    Py_XDECREF(type);
    Py_XDECREF(module);
    PyErr_Clear();
  }

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Request> requests_;
  bool started_ = false;
};

// ---- Running.

// lambed._callables.answer(...) -> (kind, payload: bytes, error_type: str); null with an exception set.
PyObject* call_python(const Environment& environment, const lambed_invocation& invocation) {
  PyObject* const module = PyImport_ImportModule("lambed._callables");
  if (module == nullptr) return nullptr;
  const auto size = [](lambed_slice s) { return static_cast<Py_ssize_t>(s.size); };
  PyObject* const answer = PyObject_CallMethod(
      module, "answer", "ss#s#s#s#s#s#s#s#LLssss", environment.callable_id.c_str(), invocation.event.data,
      size(invocation.event), invocation.request_id.data, size(invocation.request_id),
      invocation.invoked_function_arn.data, size(invocation.invoked_function_arn),
      invocation.function_version.data, size(invocation.function_version), invocation.client_context.data,
      size(invocation.client_context), invocation.cognito_identity.data, size(invocation.cognito_identity),
      invocation.trace_id.data, size(invocation.trace_id), invocation.tenant_id.data,
      size(invocation.tenant_id), static_cast<long long>(invocation.deadline),
      static_cast<long long>(invocation.deadline_epoch_ms), environment.function_name.c_str(),
      environment.memory_mb.c_str(), environment.log_group.c_str(), environment.log_stream.c_str());
  Py_DECREF(module);
  return answer;
}

// With the GIL held; `outcome` points into *answer.
void read_answer(PyObject* answer, lambed_outcome& outcome) {
  const char* payload = nullptr;
  const char* error_type = nullptr;
  Py_ssize_t payload_size = 0, type_size = 0;
  unsigned int kind = 0, flags = 0;
  int exit_code = 0;
  if (answer == nullptr || !PyArg_ParseTuple(answer, "IIiy#s#", &kind, &flags, &exit_code, &payload,
                                             &payload_size, &error_type, &type_size)) {
    // Only what was raised from outside gets here: lambed._callables answers for everything that a handler raises.
    PyErr_Clear();
    outcome.kind = LAMBED_OUTCOME_INTERRUPTED;
    outcome.flags = LAMBED_OUTCOME_DISCARD;
    return;
  }
  outcome.kind = kind;
  outcome.flags = flags;
  outcome.exit_code = exit_code;
  outcome.payload = {payload, static_cast<std::size_t>(payload_size)};
  outcome.error_type = {error_type, static_cast<std::size_t>(type_size)};
}

// With the GIL held, after an interruption: takes back what was not delivered yet, and gives back what the thread still holds.
void tidy_up() {
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
  PyObject* const module = PyImport_ImportModule("lambed._callables");
  PyObject* const done =
      module == nullptr ? nullptr : PyObject_CallMethod(module, "give_back_import_lock", nullptr);
  Py_XDECREF(done);
  Py_XDECREF(module);
  PyErr_Clear();
}

void run_invocation(Environment& environment, PyThreadState*& thread_state) {
  lambed_invocation invocation{};
  invocation.size = sizeof invocation;
  for (;;) {
    switch (g_core->take(environment.user, &invocation)) {
      case LAMBED_TAKE_CLOSE:
        return;
      case LAMBED_TAKE_NOTHING:
        g_core->wait(environment.user);
        continue;
      case LAMBED_TAKE_INVOCATION:
        break;
    }
    {
      std::lock_guard lock(environment.mutex);
      environment.running = invocation.token;
    }
    PyEval_RestoreThread(thread_state);
    PyObject* const answer = call_python(environment, invocation);
    lambed_outcome outcome{};
    outcome.size = sizeof outcome;
    read_answer(answer, outcome);
    {
      std::lock_guard lock(environment.mutex);
      environment.running = 0;
      if (environment.interrupted == invocation.token) {
        // Whatever came of it: the exception may still be on its way, and nobody waits for the answer.
        outcome.kind = LAMBED_OUTCOME_INTERRUPTED;
        outcome.flags = LAMBED_OUTCOME_DISCARD;
      }
    }
    if (outcome.kind == LAMBED_OUTCOME_INTERRUPTED) tidy_up();
    thread_state = PyEval_SaveThread();
    g_core->complete(environment.user, invocation.token, &outcome);
    if (answer != nullptr) {
      PyEval_RestoreThread(thread_state);
      Py_DECREF(answer);
      thread_state = PyEval_SaveThread();
    }
  }
}

void run(Environment* environment) {
  pthread_setname_np(pthread_self(), "lambed-callable");
  const PyGILState_STATE state = PyGILState_Ensure();
  {
    std::lock_guard lock(environment->mutex);
    environment->thread_identifier = PyThread_get_thread_ident();
  }
  PyThreadState* thread_state = PyEval_SaveThread();
  lambed_outcome opened{};
  opened.size = sizeof opened;
  g_core->opened(environment->user, &opened);
  run_invocation(*environment, thread_state);
  PyEval_RestoreThread(thread_state);
  PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
  PyGILState_Release(state);
  void* const user = environment->user;
  let_go(environment);
  g_core->closed(user);
}

// ---- The table.

void describe(lambed_host_description* description) {
  description->language = slice("callable");
  description->interpreter_version = slice(PY_VERSION);
  description->interpreter_path = slice("(this interpreter)");
  description->traits = LAMBED_HOST_SHARED_LOCK | LAMBED_HOST_SHARED_NAMESPACE | LAMBED_HOST_CONTAINS_EXIT;
  description->memory_scope = LAMBED_MEMORY_UNLIMITED;
  description->max_environments_per_version = 1;
}

int start(const lambed_core* core, const lambed_host_options*, char*, size_t) {
  g_core = core;
  return 0;
}

int open(const lambed_environment_options* options, lambed_environment** environment, char* message,
         size_t message_size) {
  auto* const made = new Environment();
  made->user = options->user;
  const std::string handler = text_of(options->handler);
  made->callable_id = handler.substr(handler.rfind('.') + 1);
  made->function_name = text_of(options->function_name);
  made->memory_mb = std::to_string(options->memory_limit / (1024 * 1024));
  made->log_group = text_of(options->log_group);
  made->log_stream = text_of(options->log_stream);
  *environment = made;
  try {
    std::thread(run, made).detach();
  } catch (const std::exception& error) {
    std::strncpy(message, error.what(), message_size - 1);
    delete made;
    return 1;
  }
  return 0;
}

lambed_interrupt interrupt(lambed_environment* environment, std::uint64_t token) {
  {
    std::lock_guard lock(environment->mutex);
    if (token == 0 || environment->running != token) return LAMBED_INTERRUPT_STOPPED;
    environment->interrupted = token;
    ++environment->uses;
  }
  Interrupter::instance().interrupt(environment, token);
  return LAMBED_INTERRUPT_PENDING;
}

void abandon(lambed_environment*) {}

void usage(lambed_environment*, lambed_usage* usage) {
  usage->memory = 0;
  usage->memory_peak = 0;
  usage->cpu_ns = 0;
}

void stop() {}

const lambed_host_api kApi = {sizeof(lambed_host_api),
                              LAMBED_HOST_ABI,
                              describe,
                              start,
                              open,
                              interrupt,
                              abandon,
                              usage,
                              nullptr,
                              nullptr,
                              nullptr,
                              stop,
                              nullptr,   // before_fork: callables of this process exist in no other
                              nullptr};  // after_fork

}  // namespace

void register_callable_host() { register_host("callable", kApi); }

}  // namespace lambed::bindings
