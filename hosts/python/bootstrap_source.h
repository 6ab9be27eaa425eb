// The Python files of bootstrap/, joined by the build.
#pragma once

namespace lambed::python {

extern const char* const kBootstrapSource;
// Imports in a worker's launcher what handlers and the bootstrap will ask for.
extern const char* const kWarmUpSource;

}  // namespace lambed::python
