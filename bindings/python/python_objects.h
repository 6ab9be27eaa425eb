// What the parts of the binding share: results and errors as Python objects.
#pragma once

#include <lambed/errors.h>
#include <lambed/invoke.h>
#include <pybind11/pybind11.h>

#include <string>

namespace lambed::bindings {

namespace py = pybind11;

// An exception of lambed.errors, not raised yet.
py::object error_object(const Error& error);

// The arguments of lambed._results.InvokeResult, in order. With `raw` the payload is bytes, else the text of the JSON (bytes
// when the function answered with bytes). Needs the GIL.
py::tuple result_fields(const InvokeResult& result, bool raw);

// Bytes or text without a copy; valid as long as the object.
std::string_view view_of(const py::handle& bytes_or_text);

}  // namespace lambed::bindings
