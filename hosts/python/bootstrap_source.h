// The Python files of bootstrap/, joined by the build.
#pragma once

namespace lambed::python {

extern const char* const kBootstrapSource;

}  // namespace lambed::python
