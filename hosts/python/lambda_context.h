// The second argument of a handler.
#pragma once

#include <lambed/host.h>

#include "python_api.h"

namespace lambed::python {

// What is the same in every context of an environment. Owned references.
struct ContextConstants {
  Ref function_name;
  Ref function_version;
  Ref memory_limit_in_mb;
  Ref log_group_name;
  Ref log_stream_name;
  Ref make_identity;  // called with the JSON text or None, when `identity` is first asked for
  int64_t (*monotonic_ns)(void) = nullptr;
};

struct ContextValues {
  PyObject* aws_request_id;  // borrowed, as all of these
  PyObject* invoked_function_arn;
  PyObject* client_context;    // or None
  PyObject* tenant_id;         // or None
  PyObject* cognito_identity;  // JSON text or None
  int64_t deadline;
  int64_t deadline_epoch_ms;
};

// The native base class of contexts for the current interpreter; null with an exception set.
Ref make_context_base(PythonLock& lock);

// An instance of `context_class`, which is a subclass of the base; null with an exception set.
Ref make_context(PythonLock& lock, PyTypeObject* context_class, const ContextConstants& constants,
                 const ContextValues& values);

}  // namespace lambed::python
