#include "python_objects.h"

namespace lambed::bindings {
namespace {

constexpr double kMillisecond = 1e6;  // in nanoseconds

py::object text(const std::string& value) {
  // Handlers of other languages may log or answer what is no UTF-8; nothing of it may raise here.
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "replace"));
}

// The core knows no packages of a distribution; whoever runs pip can be told what to install.
std::string remedy(const Error& error) {
  if (error.code() != ErrorCode::HostUnavailable) return {};
  const std::string message = error.message();
  const auto mentions = [&message](const char* word) { return message.find(word) != std::string::npos; };
  const std::string again =
      ", then install lambed again, so that its plugin is built (pip install --force-reinstall).";
  if (mentions("There is no plugin for nodejs")) {
    return " Node.js functions need libnode: Debian and Ubuntu: apt install libnode-dev" + again;
  }
  if (mentions("libnode.so")) return " Debian and Ubuntu: apt install libnode-dev" + again;
  if (mentions("There is no plugin for python")) {
    return " Python functions need Python's headers: Debian and Ubuntu: apt install python3-dev" + again;
  }
  return {};
}

}  // namespace

py::object error_object(const Error& error) {
  const py::object type = py::module_::import("lambed.errors").attr("error_class")(std::string(error.name()));
  return type(text(error.message() + remedy(error)), text(error.reason()));
}

py::tuple result_fields(const InvokeResult& result, bool raw) {
  const InvocationReport& report = result.report;
  py::object payload = raw || result.binary ? py::object(py::bytes(result.payload)) : text(result.payload);
  return py::make_tuple(std::move(payload), result.status_code, text(result.function_error),
                        text(result.request_id), text(result.executed_version), text(result.log_tail),
                        static_cast<double>(report.duration.count()) / kMillisecond,
                        report.billed_duration.count(),
                        static_cast<double>(report.init_duration.count()) / kMillisecond,
                        report.memory_size_mb, report.max_memory_used_mb);
}

std::string_view view_of(const py::handle& value) {
  if (PyBytes_Check(value.ptr()))
    return {PyBytes_AS_STRING(value.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(value.ptr()))};
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (data == nullptr) throw py::error_already_set();
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace lambed::bindings
