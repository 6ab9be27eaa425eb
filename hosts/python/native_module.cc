#include "native_module.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "lambda_context.h"
#include "signals.h"

namespace lambed::python {

namespace {

constexpr const char* kCapsuleName = "lambed.state";
using StateHolder = std::shared_ptr<NativeState>;

NativeState& state_of(PyObject* capsule) {
  return **static_cast<StateHolder*>(py.PyCapsule_GetPointer(capsule, kCapsuleName));
}

void free_capsule(PyObject* capsule) {
  delete static_cast<StateHolder*>(py.PyCapsule_GetPointer(capsule, kCapsuleName));
}

PyObject* keep_alive(PyObject* object) {
  py.Py_IncRef(object);
  return object;
}

PyObject* kept_or_none(const Ref& object) { return keep_alive(object ? object.get() : py.none); }

// Calls use(text in UTF-8); false with an exception set when `text` is not a str.
template <typename Use>
bool with_utf8(PyObject* text, Use use) {
  Py_ssize_t size = 0;
  if (const char* const data = py.PyUnicode_AsUTF8AndSize(text, &size)) {
    use(std::string_view(data, static_cast<std::size_t>(size)));
    return true;
  }
  if (py.PyErr_ExceptionMatches(*py.PyExc_TypeError_slot) != 0) return false;
  py.PyErr_Clear();  // lone surrogates
  const Ref bytes = Ref::steal(py.PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
  char* data = nullptr;
  if (!bytes || py.PyBytes_AsStringAndSize(bytes.get(), &data, &size) != 0) return false;
  use(std::string_view(data, static_cast<std::size_t>(size)));
  return true;
}

PyObject* write_text(PyObject* self, PyObject* text, lambed_stream stream) {
  Py_ssize_t length = 0;
  const bool written = with_utf8(text, [self, stream, &length](std::string_view bytes) {
    state_of(self).output->write(stream, bytes);
    for (const char byte : bytes)
      length += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;  // characters, not bytes
  });
  return written ? py.PyLong_FromLongLong(length) : nullptr;
}

PyObject* write_stdout(PyObject* self, PyObject* text) {
  return write_text(self, text, LAMBED_STREAM_STDOUT);
}
PyObject* write_stderr(PyObject* self, PyObject* text) {
  return write_text(self, text, LAMBED_STREAM_STDERR);
}

PyObject* write_bytes(PyObject* self, PyObject* arguments) {
  PyObject* const stream = py.PyTuple_GetItem(arguments, 0);
  PyObject* const data = stream == nullptr ? nullptr : py.PyTuple_GetItem(arguments, 1);
  if (data == nullptr) return nullptr;
  Py_buffer view{};
  if (py.PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) != 0) return nullptr;
  const bool is_stderr = py.PyLong_AsLong(stream) == LAMBED_STREAM_STDERR;
  state_of(self).output->write(
      is_stderr ? LAMBED_STREAM_STDERR : LAMBED_STREAM_STDOUT,
      std::string_view(static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len)));
  py.PyBuffer_Release(&view);
  return keep_alive(py.none);
}

PyObject* log(PyObject* self, PyObject* text) {
  if (!with_utf8(text, [self](std::string_view bytes) { state_of(self).output->log(bytes); })) return nullptr;
  return keep_alive(py.none);
}

PyObject* flush(PyObject* self, PyObject*) {
  state_of(self).output->flush();
  return keep_alive(py.none);
}

PyObject* child_descriptor(PyObject* self, PyObject* stream) {
  const bool is_stderr = py.PyLong_AsLong(stream) == LAMBED_STREAM_STDERR;
  const int descriptor = Output::child_descriptor(state_of(self).output,
                                                  is_stderr ? LAMBED_STREAM_STDERR : LAMBED_STREAM_STDOUT);
  if (descriptor < 0) {
    py.PyErr_SetString(*py.PyExc_OSError_slot, "no pipe for the output of child processes");
    return nullptr;
  }
  return py.PyLong_FromLong(descriptor);
}

PyObject* with_child_signals(PyObject*, PyObject* arguments) {
  PyObject* const function = py.PyTuple_GetItem(arguments, 0);
  if (function == nullptr) return nullptr;
  const Py_ssize_t count = py.PyTuple_Size(arguments) - 1;
  const Ref rest = Ref::steal(py.PyTuple_New(count));
  if (!rest) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (py.PyTuple_SetItem(rest.get(), i, keep_alive(py.PyTuple_GetItem(arguments, i + 1))) != 0)
      return nullptr;
  }
  const SignalsForChildren unblocked;
  return py.PyObject_CallObject(function, rest.get());
}

PyObject* exit_now(PyObject* self, PyObject* arguments) {
  PyObject* const code = py.PyTuple_GetItem(arguments, 0);
  PyObject* const signal = code == nullptr ? nullptr : py.PyTuple_GetItem(arguments, 1);
  if (signal == nullptr) return nullptr;
  const int exit_code = static_cast<int>(py.PyLong_AsLong(code));
  const int term_signal = static_cast<int>(py.PyLong_AsLong(signal));
  if (py.PyErr_Occurred() != nullptr) return nullptr;
  NativeState& state = state_of(self);
  PythonLock lock;
  state.interruption->exit_now(lock, exit_code, term_signal);
  py.PyErr_SetNone(state.stop_exception ? state.stop_exception.get() : *py.PyExc_BaseException_slot);
  return nullptr;
}

PyObject* request_id(PyObject* self, PyObject*) {
  const NativeState& state = state_of(self);
  return state.request_id ? keep_alive(state.request_id.get()) : new_text("", 0);
}

PyObject* tenant_id(PyObject* self, PyObject*) { return kept_or_none(state_of(self).tenant_id); }

PyObject* adopt_thread(PyObject* self, PyObject*) {
  charge_thread_to(state_of(self).account);
  state_of(self).interruption->note_thread();
  return keep_alive(py.none);
}

// True for an extension module that must not be loaded twice in a process: it was written before multi-phase
// initialisation (PEP 489), whose entry every other one calls, or says itself that it can be loaded only once. Looked up in
// the file, because loading it to find out would run its code: before 3.12 that code would misbehave silently, and numpy
// refuses the main interpreter after it was tried elsewhere.
bool loads_once(const char* path) {
  static constexpr char kMultiPhase[] =
      "PyModuleDef_Init";  // with its terminator: a whole name in the symbol strings
  static constexpr char kSaysSo[] = "cannot load module more than once per process";
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct stat status = {};
  bool once = false;
  if (fstat(file, &status) == 0 && status.st_size > 0) {
    const std::size_t size = static_cast<std::size_t>(status.st_size);
    void* const bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes != MAP_FAILED) {
      once = memmem(bytes, size, kMultiPhase, sizeof kMultiPhase) == nullptr ||
             memmem(bytes, size, kSaysSo, sizeof kSaysSo - 1) != nullptr;
      munmap(bytes, size);
    }
  }
  close(file);
  return once;
}

PyObject* is_single_interpreter(PyObject*, PyObject* path) {
  const char* const text = py.PyUnicode_AsUTF8AndSize(path, nullptr);
  return text == nullptr ? nullptr : py.PyBool_FromLong(loads_once(text) ? 1 : 0);
}

PyObject* refuse_module(PyObject* self, PyObject* name) {
  NativeState& state = state_of(self);
  if (state.refused_module.empty()) {
    PythonLock lock;
    state.refused_module = text_of(lock, name);
  }
  return keep_alive(py.none);
}

// In a child made by os.fork.
PyObject* enter_forked(PyObject* self, PyObject*) {
  NativeState& state = state_of(self);
  state.is_forked = true;
  state.output->enter_forked();
  return keep_alive(py.none);
}

PyMethodDef functions[] = {
    {"write_stdout", write_stdout, METH_O, nullptr},
    {"write_stderr", write_stderr, METH_O, nullptr},
    {"write_bytes", write_bytes, METH_VARARGS, nullptr},
    {"log", log, METH_O, nullptr},
    {"flush", flush, METH_NOARGS, nullptr},
    {"child_descriptor", child_descriptor, METH_O, nullptr},
    {"with_child_signals", with_child_signals, METH_VARARGS, nullptr},
    {"exit_now", exit_now, METH_VARARGS, nullptr},
    {"request_id", request_id, METH_NOARGS, nullptr},
    {"tenant_id", tenant_id, METH_NOARGS, nullptr},
    {"adopt_thread", adopt_thread, METH_NOARGS, nullptr},
    {"is_single_interpreter", is_single_interpreter, METH_O, nullptr},
    {"refuse_module", refuse_module, METH_O, nullptr},
    {"enter_forked", enter_forked, METH_NOARGS, nullptr},
};

bool put(PyObject* dictionary, const char* name, Ref value) {
  return value && py.PyDict_SetItemString(dictionary, name, value.get()) == 0;
}

Ref bytes_of(const std::string& text) {
  return Ref::steal(py.PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

Ref path_of(const std::string& text) {
  return Ref::steal(py.PyUnicode_DecodeFSDefaultAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

Ref truth(bool value) { return Ref::steal(py.PyBool_FromLong(value ? 1 : 0)); }

Ref variables_of(const EnvironmentSettings& settings) {
  Ref table = Ref::steal(py.PyDict_New());
  for (const auto& [name, value] : settings.variables) {
    const Ref key = bytes_of(name);
    const Ref bytes = bytes_of(value);
    if (!table || !key || !bytes || py.PyDict_SetItem(table.get(), key.get(), bytes.get()) != 0) return {};
  }
  return table;
}

Ref layers_of(const EnvironmentSettings& settings) {
  Ref list = Ref::steal(py.PyList_New(0));
  for (const std::string& layer : settings.layers) {
    const Ref path = path_of(layer);
    if (!list || !path || py.PyList_Append(list.get(), path.get()) != 0) return {};
  }
  return list;
}

}  // namespace

Ref make_host_members(PythonLock& lock, const std::shared_ptr<NativeState>& state,
                      const EnvironmentSettings& settings, const BootstrapFacts& facts) {
  Ref members = Ref::steal(py.PyDict_New());
  Ref capsule = Ref::steal(py.PyCapsule_New(new StateHolder(state), kCapsuleName, free_capsule));
  if (!members || !capsule) return {};
  for (PyMethodDef& function : functions) {
    Ref made = Ref::steal(py.PyCMethod_New(&function, capsule.get(), nullptr, nullptr));
    if (!put(members.get(), function.ml_name, std::move(made))) return {};
  }
  const bool complete = put(members.get(), "Context", make_context_base(lock)) &&
                        put(members.get(), "variables", variables_of(settings)) &&
                        put(members.get(), "layers", layers_of(settings)) &&
                        put(members.get(), "task_root", path_of(settings.task_root)) &&
                        put(members.get(), "json_logs", truth(settings.json_logs)) &&
                        put(members.get(), "ascii_results", truth(settings.has_ascii_results())) &&
                        put(members.get(), "is_main", truth(facts.is_main)) &&
                        put(members.get(), "is_worker", truth(facts.is_worker)) &&
                        put(members.get(), "in_node", truth(facts.in_node)) &&
                        put(members.get(), "own_folder", truth(facts.own_folder));
  return complete ? std::move(members) : Ref();
}

}  // namespace lambed::python
