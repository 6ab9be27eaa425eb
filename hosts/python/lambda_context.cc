#include "lambda_context.h"

#include <algorithm>

namespace lambed::python {

namespace {

constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;

struct Context {
  PyObject_HEAD PyObject* aws_request_id;
  PyObject* function_name;
  PyObject* function_version;
  PyObject* invoked_function_arn;
  PyObject* memory_limit_in_mb;
  PyObject* log_group_name;
  PyObject* log_stream_name;
  PyObject* client_context;
  PyObject* tenant_id;
  PyObject* identity;          // null until asked for
  PyObject* cognito_identity;  // JSON text or None
  PyObject* make_identity;
  int64_t (*monotonic_ns)(void);
  int64_t deadline;
  int64_t deadline_epoch_ms;
};

constexpr PyObject* Context::*kReferences[] = {
    &Context::aws_request_id,     &Context::function_name,
    &Context::function_version,   &Context::invoked_function_arn,
    &Context::memory_limit_in_mb, &Context::log_group_name,
    &Context::log_stream_name,    &Context::client_context,
    &Context::tenant_id,          &Context::identity,
    &Context::cognito_identity,   &Context::make_identity,
};

Context* context_of(PyObject* object) { return reinterpret_cast<Context*>(object); }

void deallocate(PyObject* self) {
  for (PyObject* Context::*reference : kReferences) {
    if (PyObject* const value = context_of(self)->*reference) py.Py_DecRef(value);
  }
  PyTypeObject* const type = Py_TYPE(self);
  using Free = void (*)(void*);
  reinterpret_cast<Free>(py.PyType_GetSlot(type, Py_tp_free))(self);
  py.Py_DecRef(reinterpret_cast<PyObject*>(type));  // instances of heap types own their type
}

PyObject* get_remaining_time_in_millis(PyObject* self, PyObject*) {
  const Context* const context = context_of(self);
  if (context->monotonic_ns == nullptr) return py.PyLong_FromLong(0);  // made by hand, not by us
  const int64_t left = (context->deadline - context->monotonic_ns()) / kNanosecondsPerMillisecond;
  return py.PyLong_FromLongLong(std::max<int64_t>(left, 0));
}

PyObject* get_identity(PyObject* self, void*) {
  Context* const context = context_of(self);
  if (context->identity == nullptr && context->make_identity != nullptr) {
    PyObject* const arguments[] = {context->cognito_identity};
    context->identity = py.PyObject_Vectorcall(context->make_identity, arguments, 1, nullptr);
    if (context->identity == nullptr) return nullptr;
  }
  PyObject* const identity = context->identity == nullptr ? py.none : context->identity;
  py.Py_IncRef(identity);
  return identity;
}

int set_identity(PyObject* self, PyObject* value, void*) {
  Context* const context = context_of(self);
  if (value == nullptr) value = py.none;
  py.Py_IncRef(value);
  if (PyObject* const old = std::exchange(context->identity, value)) py.Py_DecRef(old);
  return 0;
}

PyObject* get_epoch_deadline(PyObject* self, void*) {
  return py.PyLong_FromLongLong(context_of(self)->deadline_epoch_ms);
}

PyMethodDef methods[] = {
    {"get_remaining_time_in_millis", get_remaining_time_in_millis, METH_NOARGS,
     "Milliseconds until the invocation times out, 0 at least."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef properties[] = {
    {"identity", get_identity, set_identity, nullptr, nullptr},
    {"_epoch_deadline_time_in_ms", get_epoch_deadline, nullptr, nullptr,
     nullptr},  // tracing libraries read it
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

#define LAMBED_MEMBER(name) \
  { #name, T_OBJECT_EX, offsetof(Context, name), 0, nullptr }
PyMemberDef members[] = {
    LAMBED_MEMBER(aws_request_id),       LAMBED_MEMBER(function_name),      LAMBED_MEMBER(function_version),
    LAMBED_MEMBER(invoked_function_arn), LAMBED_MEMBER(memory_limit_in_mb), LAMBED_MEMBER(log_group_name),
    LAMBED_MEMBER(log_stream_name),      LAMBED_MEMBER(client_context),     LAMBED_MEMBER(tenant_id),
    {nullptr, 0, 0, 0, nullptr},
};
#undef LAMBED_MEMBER

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, nullptr},
};

PyType_Spec specification = {"lambed.Context", static_cast<int>(sizeof(Context)), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

PyObject* kept(PyObject* value) {
  py.Py_IncRef(value);
  return value;
}

}  // namespace

Ref make_context_base(PythonLock&) { return Ref::steal(py.PyType_FromSpec(&specification)); }

Ref make_context(PythonLock&, PyTypeObject* context_class, const ContextConstants& constants,
                 const ContextValues& values) {
  const auto allocate = reinterpret_cast<allocfunc>(py.PyType_GetSlot(context_class, Py_tp_alloc));
  PyObject* const self = allocate(context_class, 0);
  if (self == nullptr) return {};
  Context* const context = context_of(self);
  context->aws_request_id = kept(values.aws_request_id);
  context->function_name = kept(constants.function_name.get());
  context->function_version = kept(constants.function_version.get());
  context->invoked_function_arn = kept(values.invoked_function_arn);
  context->memory_limit_in_mb = kept(constants.memory_limit_in_mb.get());
  context->log_group_name = kept(constants.log_group_name.get());
  context->log_stream_name = kept(constants.log_stream_name.get());
  context->client_context = kept(values.client_context);
  context->tenant_id = kept(values.tenant_id);
  context->cognito_identity = kept(values.cognito_identity);
  context->make_identity = kept(constants.make_identity.get());
  context->monotonic_ns = constants.monotonic_ns;
  context->deadline = values.deadline;
  context->deadline_epoch_ms = values.deadline_epoch_ms;
  return Ref::steal(self);
}

}  // namespace lambed::python
