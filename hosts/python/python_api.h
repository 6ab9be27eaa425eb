// libpython as a table of function pointers, filled at run time, and the types of this host that stand for holding the
// interpreter's lock and for owning a reference.
#pragma once

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
// After Python.h, which wants to be first.
#include <structmember.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace lambed::python {

using TraceFunction = int (*)(PyObject*, struct _frame*, int, PyObject*);

// Mirrors of structs that the limited API hides. Each is the same in every version named.
struct Status {  // PyStatus, 3.8-3.14
  int type;
  const char* function;
  const char* message;
  int exit_code;
};
struct PreConfiguration {  // PyPreConfig, 3.8-3.14
  int config_init;
  int parse_argv;
  int isolated;
  int use_environment;
  int configure_locale;
  int coerce_c_locale;
  int coerce_c_locale_warn;
  int utf8_mode;
  int dev_mode;
  int allocator;
  int room[16];
};
struct alignas(16)
    Configuration {  // PyConfig: its members move between versions, so none is touched; 3.13 needs 448 bytes
  unsigned char room[8192];
};
struct InterpreterConfiguration {  // PyInterpreterConfig, 3.12-3.14
  int use_main_obmalloc;
  int allow_fork;
  int allow_exec;
  int allow_threads;
  int allow_daemon_threads;
  int check_multi_interp_extensions;
  int gil;
};
inline constexpr int kGilShared = 1;
inline constexpr int kGilOwn = 2;
struct RawAllocator {  // PyMemAllocatorEx
  void* context;
  void* (*malloc)(void*, std::size_t);
  void* (*calloc)(void*, std::size_t, std::size_t);
  void* (*realloc)(void*, void*, std::size_t);
  void (*free)(void*, void*);
};
struct ArenaAllocator {  // PyObjectArenaAllocator
  void* context;
  void* (*alloc)(void*, std::size_t);
  void (*free)(void*, void*, std::size_t);
};

// Newer headers deprecate what 3.11 has no replacement for.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
struct PythonApi {
#define LAMBED_PY_FUNCTION(name) decltype(&::name) name = nullptr;
#define LAMBED_PY_UNLIMITED(result, name, args) result(*name) args = nullptr;
#define LAMBED_PY_OPTIONAL(result, name, args) result(*name) args = nullptr;
#define LAMBED_PY_OBJECT(name) PyObject** name##_slot = nullptr;
#include "python_functions.inc"
#undef LAMBED_PY_FUNCTION
#undef LAMBED_PY_UNLIMITED
#undef LAMBED_PY_OPTIONAL
#undef LAMBED_PY_OBJECT
  PyObject* none = nullptr;  // Py_None
  unsigned version = 0;      // Py_Version: 0x030b02f0 is 3.11.2

  bool at_least(unsigned major, unsigned minor) const { return (version >> 16) >= ((major << 8) | minor); }
  // "3.11.2"
  std::string version_text() const;
};
#pragma GCC diagnostic pop

// Filled once by `load_python`, before any other thread of this host exists; read-only from then on.
extern PythonApi py;

// Fills `py` from a handle of dlopen or RTLD_DEFAULT. Returns an empty string, or what is missing.
std::string load_python(void* library);

// One owned reference.
class Ref {
 public:
  Ref() = default;
  static Ref steal(PyObject* object) { return Ref(object); }
  static Ref borrow(PyObject* object) {
    if (object != nullptr) py.Py_IncRef(object);
    return Ref(object);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    if (this != &other) {
      reset();
      object_ = std::exchange(other.object_, nullptr);
    }
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { reset(); }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }
  void reset() {
    if (PyObject* old = std::exchange(object_, nullptr)) py.Py_DecRef(old);
  }

 private:
  explicit Ref(PyObject* object) : object_(object) {}
  PyObject* object_ = nullptr;
};

// The calling thread holds an interpreter's lock. Whoever has a PythonLock& may call Python.
class PythonLock {
 public:
  // The thread state must be attached to the calling thread already.
  PythonLock() = default;
  PythonLock(const PythonLock&) = delete;
  PythonLock& operator=(const PythonLock&) = delete;

  // Runs `work` without the lock.
  template <typename Work>
  void released(Work&& work) {
    PyThreadState* const state = py.PyEval_SaveThread();
    std::forward<Work>(work)();
    py.PyEval_RestoreThread(state);
  }
};

// A str; null with an exception set when the bytes are not UTF-8.
inline PyObject* new_text(const char* data, std::size_t size) {
  return py.PyUnicode_DecodeUTF8(data, static_cast<Py_ssize_t>(size), nullptr);
}
inline PyObject* new_text(const std::string& text) { return new_text(text.data(), text.size()); }

// The text of a str, empty when it has none in UTF-8. Clears the exception.
std::string text_of(PythonLock& lock, PyObject* text);

}  // namespace lambed::python
