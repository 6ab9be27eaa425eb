// CPython's floor: json.loads, the handler, json.dumps, by the C API. libpython is found and opened at run
// time, as the host does, and never linked.
#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "floor.h"

namespace bench {
namespace {

using Object = void;
using ThreadState = void;

struct InterpreterConfiguration {  // PyInterpreterConfig of 3.12 and later
  int use_main_obmalloc;
  int allow_fork;
  int allow_exec;
  int allow_threads;
  int allow_daemon_threads;
  int check_multi_interp_extensions;
  int gil;
};
constexpr int kOwnGil = 2;

struct Status {  // PyStatus
  int type;
  const char* function;
  const char* message;
  int exit_code;
};

struct Library {
  const char* (*version)();
  int (*is_initialized)();
  void (*initialize)(int signal_handlers);
  int (*ensure)();
  void (*release)(int state);
  ThreadState* (*new_interpreter)();
  Status (*new_interpreter_from_config)(ThreadState** result, const InterpreterConfiguration* configuration);
  void (*end_interpreter)(ThreadState* state);
  ThreadState* (*swap)(ThreadState* state);
  ThreadState* (*current)();
  ThreadState* (*save)();
  void (*restore)(ThreadState* state);
  Object* (*import)(const char* name);
  Object* (*attribute)(Object* object, const char* name);
  Object* (*call)(Object* callable, ...);
  Object* (*string)(const char* text, std::ptrdiff_t size);
  const char* (*utf8)(Object* string, std::ptrdiff_t* size);
  int (*run)(const char* source, void* flags);
  void (*release_reference)(Object* object);
  void (*print_error)();
  Object* none;
};

template <typename Symbol>
void find(void* library, const char* name, Symbol& symbol, bool optional = false) {
  symbol = reinterpret_cast<Symbol>(::dlsym(library, name));
  if (symbol == nullptr && !optional) throw std::runtime_error(std::string("libpython has no ") + name);
}

// The libpython that this process has loaded; empty when there is none.
std::string loaded_libpython() {
  std::string path;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* found) {
        const std::string name = info->dlpi_name;
        if (name.find("/libpython3") == std::string::npos) return 0;
        *static_cast<std::string*>(found) = name;
        return 1;
      },
      &path);
  return path;
}

// Asks `python3` (or what LAMBED_BENCH_PYTHON names) where its library is.
std::string libpython_of_python3() {
  const char* const chosen = std::getenv("LAMBED_BENCH_PYTHON");
  const std::string command = std::string(chosen != nullptr ? chosen : "python3") +
                              " -c 'import sysconfig as s; "
                              "print(s.get_config_var(\"LIBDIR\")+\"/\"+s.get_config_var(\"INSTSONAME\"))'";
  std::string path;
  if (FILE* const answer = ::popen(command.c_str(), "r")) {
    char line[4096];
    if (std::fgets(line, sizeof line, answer) != nullptr) path = line;
    ::pclose(answer);
  }
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

Library open_library(bool start) {
  std::string path = loaded_libpython();
  if (path.empty() && start) path = libpython_of_python3();
  if (path.empty()) throw std::runtime_error("no libpython is loaded in this process");
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  Library python{};
  find(library, "Py_GetVersion", python.version);
  find(library, "Py_IsInitialized", python.is_initialized);
  find(library, "Py_InitializeEx", python.initialize);
  find(library, "PyGILState_Ensure", python.ensure);
  find(library, "PyGILState_Release", python.release);
  find(library, "Py_NewInterpreter", python.new_interpreter);
  find(library, "Py_NewInterpreterFromConfig", python.new_interpreter_from_config, true);
  find(library, "Py_EndInterpreter", python.end_interpreter);
  find(library, "PyThreadState_Swap", python.swap);
  find(library, "PyThreadState_Get", python.current);
  find(library, "PyEval_SaveThread", python.save);
  find(library, "PyEval_RestoreThread", python.restore);
  find(library, "PyImport_ImportModule", python.import);
  find(library, "PyObject_GetAttrString", python.attribute);
  find(library, "PyObject_CallFunctionObjArgs", python.call);
  find(library, "PyUnicode_FromStringAndSize", python.string);
  find(library, "PyUnicode_AsUTF8AndSize", python.utf8);
  find(library, "PyRun_SimpleStringFlags", python.run);
  find(library, "Py_DecRef", python.release_reference);
  find(library, "PyErr_Print", python.print_error);
  find(library, "_Py_NoneStruct", python.none);
  if (python.is_initialized() == 0) {
    if (!start) throw std::runtime_error("libpython is loaded but not started");
    python.initialize(0);
    python.save();
  }
  return python;
}

class PythonLane final : public Lane {
 public:
  PythonLane(const Library& python, bool own_lock, bool ends_detached, const std::string& folder,
             const std::string& function)
      : python_(python), ends_detached_(ends_detached) {
    state_ = python_.ensure();
    outer_ = python_.current();
    if (own_lock) {
      InterpreterConfiguration configuration{0, 0, 0, 1, 0, 1, kOwnGil};
      const Status status = python_.new_interpreter_from_config(&interpreter_, &configuration);
      if (status.type != 0) fail(status.message);
    } else {
      interpreter_ = python_.new_interpreter();
    }
    if (interpreter_ == nullptr) fail("no new interpreter");
    python_.run(("import sys; sys.path.insert(0, '" + folder + "')").c_str(), nullptr);
    Object* const json = checked(python_.import("json"));
    loads_ = checked(python_.attribute(json, "loads"));
    dumps_ = checked(python_.attribute(json, "dumps"));
    Object* const module = checked(python_.import("app"));
    handler_ = checked(python_.attribute(module, function.c_str()));
    python_.release_reference(json);
    python_.release_reference(module);
    leave();
  }

  ~PythonLane() override {
    enter();
    for (Object* const object : {loads_, dumps_, handler_}) python_.release_reference(object);
    // The state of the main interpreter that PyGILState_Ensure made for this thread comes back at the end.
    // Until 3.11 Py_EndInterpreter returns with the lock held, from 3.12 on without.
    python_.end_interpreter(interpreter_);
    if (ends_detached_) {
      python_.restore(outer_);
    } else {
      python_.swap(outer_);
    }
    python_.release(state_);
  }

  void hold(const std::function<void()>& work) override {
    enter();
    work();
    leave();
  }

  std::size_t call(std::string_view event) override {
    Object* const text = python_.string(event.data(), static_cast<std::ptrdiff_t>(event.size()));
    Object* const value = checked(python_.call(loads_, text, nullptr));
    Object* const result = checked(python_.call(handler_, value, python_.none, nullptr));
    Object* const answer = checked(python_.call(dumps_, result, nullptr));
    std::ptrdiff_t size = 0;
    python_.utf8(answer, &size);
    for (Object* const object : {text, value, result, answer}) python_.release_reference(object);
    return static_cast<std::size_t>(size);
  }

 private:
  void enter() { python_.restore(interpreter_); }
  void leave() { python_.save(); }
  Object* checked(Object* object) {
    if (object == nullptr) {
      python_.print_error();
      fail("a call failed");
    }
    return object;
  }
  [[noreturn]] static void fail(const char* cause) { end_by_failure("Python", cause); }

  const Library& python_;
  bool ends_detached_;
  int state_ = 0;
  ThreadState* outer_ = nullptr;
  ThreadState* interpreter_ = nullptr;
  Object* loads_ = nullptr;
  Object* dumps_ = nullptr;
  Object* handler_ = nullptr;
};

class PythonFloor final : public Floor {
 public:
  explicit PythonFloor(bool start) : python_(open_library(start)) {
    const std::string text = python_.version();
    version_ = text.substr(0, text.find(' '));
    const int minor = std::atoi(version_.c_str() + 2);
    // Below 3.13 an interpreter with a lock of its own corrupts the heap; the host does not use it there
    // either.
    own_lock_ = minor >= 13 && python_.new_interpreter_from_config != nullptr;
    ends_detached_ = minor >= 12;
  }
  std::string version() const override { return version_; }
  bool shares_one_lock() const override { return !own_lock_; }
  std::unique_ptr<Lane> open_lane(const std::string& folder, const std::string& function) override {
    return std::make_unique<PythonLane>(python_, own_lock_, ends_detached_, folder, function);
  }

 private:
  Library python_;
  std::string version_;
  bool own_lock_ = false;
  bool ends_detached_ = false;
};

}  // namespace

std::unique_ptr<Floor> make_python_floor(bool start) { return std::make_unique<PythonFloor>(start); }

}  // namespace bench
