#include "python_api.h"

#include <dlfcn.h>

#include <cstring>

namespace lambed::python {

PythonApi py;

namespace {

template <typename Pointer>
bool resolve(void* library, const char* name, Pointer& pointer) {
  void* const symbol = dlsym(library, name);
  static_assert(sizeof pointer == sizeof symbol);
  std::memcpy(&pointer, &symbol, sizeof pointer);
  return symbol != nullptr;
}

}  // namespace

std::string PythonApi::version_text() const {
  return std::to_string(version >> 24) + "." + std::to_string((version >> 16) & 0xff) + "." +
         std::to_string((version >> 8) & 0xff);
}

std::string load_python(void* library) {
  const unsigned long* version = nullptr;
  if (!resolve(library, "Py_Version", version)) return "Py_Version (Python 3.11 or newer is needed)";
#define LAMBED_PY_FUNCTION(name) \
  if (!resolve(library, #name, py.name)) return #name;
#define LAMBED_PY_UNLIMITED(result, name, args) \
  if (!resolve(library, #name, py.name)) return #name;
#define LAMBED_PY_OPTIONAL(result, name, args) resolve(library, #name, py.name);
#define LAMBED_PY_OBJECT(name) \
  if (!resolve(library, #name, py.name##_slot)) return #name;
#include "python_functions.inc"
#undef LAMBED_PY_FUNCTION
#undef LAMBED_PY_UNLIMITED
#undef LAMBED_PY_OPTIONAL
#undef LAMBED_PY_OBJECT
  if (!resolve(library, "_Py_NoneStruct", py.none)) return "_Py_NoneStruct";
  py.version = static_cast<unsigned>(*version);
  return {};
}

std::string text_of(PythonLock&, PyObject* text) {
  Py_ssize_t size = 0;
  const char* const data = text == nullptr ? nullptr : py.PyUnicode_AsUTF8AndSize(text, &size);
  if (data == nullptr) {
    py.PyErr_Clear();
    return {};
  }
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace lambed::python
