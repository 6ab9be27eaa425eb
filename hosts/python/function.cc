#include "function.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace lambed::python {

namespace {

constexpr char kTraceVariable[] = "_X_AMZN_TRACE_ID";
constexpr std::uint64_t kBytesPerMegabyte = std::uint64_t{1} << 20;

std::string_view view_of(lambed_slice slice) { return std::string_view(slice.data, slice.size); }
lambed_slice slice_of(std::string_view text) { return {text.data(), text.size()}; }

Ref text(std::string_view view) { return Ref::steal(new_text(view.data(), view.size())); }

Ref attribute(PyObject* object, const char* name) {
  return object == nullptr ? Ref() : Ref::steal(py.PyObject_GetAttrString(object, name));
}

Ref call(PyObject* function) { return Ref::steal(py.PyObject_CallObject(function, nullptr)); }

Ref call(PyObject* function, PyObject* argument) {
  PyObject* const arguments[] = {argument};
  return Ref::steal(py.PyObject_Vectorcall(function, arguments, 1, nullptr));
}

Ref call(PyObject* function, PyObject* first, PyObject* second) {
  PyObject* const arguments[] = {first, second};
  return Ref::steal(py.PyObject_Vectorcall(function, arguments, 2, nullptr));
}

// The exception that is set, with its traceback; none is set afterwards.
Ref take_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* trace = nullptr;
  py.PyErr_Fetch(&type, &value, &trace);
  py.PyErr_NormalizeException(&type, &value, &trace);
  if (value != nullptr && trace != nullptr) py.PyException_SetTraceback(value, trace);
  Ref exception = Ref::steal(value);
  if (type != nullptr) py.Py_DecRef(type);
  if (trace != nullptr) py.Py_DecRef(trace);
  return exception;
}

bool is_instance(const Ref& exception, PyObject* type) {
  return exception && py.PyErr_GivenExceptionMatches(exception.get(), type) != 0;
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::kInit:
      return "init";
    case Phase::kUnmarshal:
      return "unmarshal";
    case Phase::kMarshal:
      return "marshal";
    case Phase::kHandler:
      break;
  }
  return "handler";
}

}  // namespace

// What an invocation gave: either `error` or a payload whose owner is `owner`.
struct Function::Result {
  Ref owner;
  lambed_slice payload{nullptr, 0};
  bool is_binary = false;
  Ref error;
  Phase phase = Phase::kUnmarshal;
};

Function::Function(const EnvironmentSettings& settings, std::shared_ptr<NativeState> state, PythonVm& vm)
    : settings_(settings), state_(std::move(state)), vm_(vm) {}

Ref Function::member(PythonLock&, const char* name) const {
  return Ref::borrow(globals_ ? py.PyDict_GetItemString(globals_.get(), name) : nullptr);
}

// Runs the bootstrap and fetches what invocations need. Returns what is missing, which is a fault of ours.
std::string Function::prepare(PythonLock& lock, const InterpreterSession& session, bool own_folder) {
  state_->stop_exception =
      Ref::steal(py.PyErr_NewException("lambed.Stopped", *py.PyExc_BaseException_slot, nullptr));
  globals_ = Ref::steal(py.PyDict_New());
  const BootstrapFacts facts = {session.is_main(), vm_.is_worker(), vm_.in_node(), own_folder};
  const Ref members = make_host_members(lock, state_, settings_, facts);
  const std::string& source = vm_.bootstrap_code();
  const Ref code =
      Ref::steal(py.PyMarshal_ReadObjectFromString(source.data(), static_cast<Py_ssize_t>(source.size())));
  if (!state_->stop_exception || !globals_ || !members || !code) return "the interpreter";
  py.PyDict_SetItemString(globals_.get(), "__builtins__", py.PyEval_GetBuiltins());
  py.PyDict_SetItemString(globals_.get(), "host_members", members.get());
  const Ref done = Ref::steal(py.PyEval_EvalCode(code.get(), globals_.get(), globals_.get()));
  const Ref set_up = member(lock, "set_up");
  if (!done || !set_up || !call(set_up.get())) return "the bootstrap";

  const Ref json_os = member(lock, "os");
  const Ref environ = attribute(json_os.get(), "environ");
  variables_ = attribute(environ.get(), "_data");
  child_variables_ = member(lock, "child_variables");
  scan_once_ = member(lock, "scan_once");
  decimal_marks_ = member(lock, "decimal_marks");
  describe_ = member(lock, "describe");
  make_client_context_ = member(lock, "make_client_context");
  idle_ = member(lock, "idle");
  context_class_ = member(lock, "LambdaContext");
  const Ref make_encoder = member(lock, "make_encoder");
  encoder_ = make_encoder ? call(make_encoder.get()) : Ref();
  bytes_type_ = Ref::borrow(py.PyDict_GetItemString(py.PyEval_GetBuiltins(), "bytes"));
  zero_ = Ref::steal(py.PyLong_FromLong(0));
  nothing_ = text("");
  trace_name_ = Ref::steal(py.PyBytes_FromStringAndSize(kTraceVariable, sizeof kTraceVariable - 1));
  constants_.function_name = text(settings_.function_name);
  constants_.function_version = text(settings_.function_version);
  constants_.memory_limit_in_mb = text(std::to_string(settings_.memory_limit / kBytesPerMegabyte));
  constants_.log_group_name = text(settings_.log_group);
  constants_.log_stream_name = text(settings_.log_stream);
  constants_.make_identity = member(lock, "make_identity");
  constants_.monotonic_ns = vm_.core()->monotonic_ns;
  if (!variables_ || !encoder_ || !describe_ || !idle_ || !context_class_ || !bytes_type_ || !zero_ ||
      !nothing_ || !trace_name_ || !constants_.function_name || !constants_.log_stream_name) {
    return "a part of the bootstrap";
  }
  return {};
}

Outcome Function::load(PythonLock& lock, const InterpreterSession& session, bool own_folder) {
  const std::string missing = prepare(lock, session, own_folder);
  if (!missing.empty()) {
    const Ref exception = take_exception();
    std::string why;
    if (exception) {
      const Ref builtin = Ref::borrow(py.PyDict_GetItemString(py.PyEval_GetBuiltins(), "repr"));
      const Ref words = builtin ? call(builtin.get(), exception.get()) : Ref();
      why = ": " + text_of(lock, words.get());
    }
    return {LAMBED_OUTCOME_REFUSED,
            LAMBED_OUTCOME_DISCARD,
            0,
            0,
            "Python " + vm_.version() + " could not be set up, " + missing + " failed" + why,
            ""};
  }
  if (session.is_main() && !vm_.is_worker()) {
    const Ref find = member(lock, "conflicting_module");
    const Ref name = find ? call(find.get()) : Ref();
    const std::string module = text_of(lock, name.get());
    if (!module.empty()) {
      return {LAMBED_OUTCOME_REFUSED,
              LAMBED_OUTCOME_DISCARD,
              0,
              0,
              "the extension package " + module +
                  " was loaded from another function's folder, and can be loaded once in a process: use "
                  "process isolation",
              ""};
    }
  }
  state_->interruption->attach(lock, session, state_->stop_exception.get(), idle_.get());
  state_->account->limit.store(static_cast<std::int64_t>(settings_.memory_limit));
  const Ref load = member(lock, "load");
  const Ref handler_name = text(settings_.handler);
  if (!state_->interruption->is_requested() && load && handler_name)
    handler_ = call(load.get(), handler_name.get());
  Ref exception = handler_ ? Ref() : take_exception();
  const Stopped stopped = state_->interruption->end(lock);
  if (handler_ && stopped == Stopped::kNo && !state_->interruption->exit_request().requested) return {};
  if (!handler_ && !exception) return stopped_outcome();
  return outcome_of_exception(lock, Phase::kInit, std::move(exception),
                              handler_ ? Stopped::kRaised : stopped);
}

Outcome Function::stopped_outcome() const {
  return {LAMBED_OUTCOME_INTERRUPTED, LAMBED_OUTCOME_DISCARD, 0, 0, "", ""};
}

Outcome Function::outcome_of_exception(PythonLock& lock, Phase phase, Ref exception, Stopped stopped) {
  const ExitRequest exit = state_->interruption->exit_request();
  if (exit.requested) {
    return {LAMBED_OUTCOME_EXITED, LAMBED_OUTCOME_DISCARD, exit.exit_code, exit.term_signal, "", ""};
  }
  if (stopped == Stopped::kRaised || is_instance(exception, state_->stop_exception.get()))
    return stopped_outcome();

  Outcome outcome;
  outcome.kind = LAMBED_OUTCOME_FUNCTION_ERROR;
  if (phase == Phase::kInit || stopped != Stopped::kNo) outcome.flags |= LAMBED_OUTCOME_DISCARD;
  if (is_instance(exception, *py.PyExc_MemoryError_slot)) outcome.flags |= LAMBED_OUTCOME_DISCARD;
  // A module that cannot be loaded here will not load the next time either: the next environment is in the main interpreter.
  if (!state_->refused_module.empty()) outcome.flags |= LAMBED_OUTCOME_DISCARD;
  const MemoryGrace grace;  // or the report of a MemoryError would end in another one
  // What is about to be tried again in the main interpreter is not an error yet: it is not logged.
  const bool is_tried_again = phase == Phase::kInit && !state_->refused_module.empty();
  const Ref phase_name = text(is_tried_again ? "first try" : name_of(phase));
  PyObject* const request_id = state_->request_id ? state_->request_id.get() : nothing_.get();
  PyObject* const arguments[] = {exception.get(), phase_name.get(), request_id};
  const Ref description = Ref::steal(py.PyObject_Vectorcall(describe_.get(), arguments, 3, nullptr));
  if (!description) {
    py.PyErr_Clear();
    outcome.flags |= LAMBED_OUTCOME_DISCARD;
    outcome.payload =
        R"({"errorMessage": "", "errorType": "Runtime.Unknown", "requestId": "", "stackTrace": []})";
    outcome.error_type = "Runtime.Unknown";
    return outcome;
  }
  outcome.kind = static_cast<lambed_outcome_kind>(py.PyLong_AsLong(py.PyTuple_GetItem(description.get(), 0)));
  outcome.exit_code = static_cast<int>(py.PyLong_AsLong(py.PyTuple_GetItem(description.get(), 1)));
  outcome.term_signal = static_cast<int>(py.PyLong_AsLong(py.PyTuple_GetItem(description.get(), 2)));
  char* document = nullptr;
  Py_ssize_t size = 0;
  if (py.PyBytes_AsStringAndSize(py.PyTuple_GetItem(description.get(), 3), &document, &size) == 0) {
    outcome.payload.assign(document, static_cast<std::size_t>(size));
  }
  outcome.error_type = text_of(lock, py.PyTuple_GetItem(description.get(), 4));
  if (outcome.kind == LAMBED_OUTCOME_EXITED) outcome.flags |= LAMBED_OUTCOME_DISCARD;
  return outcome;
}

Ref Function::decode(PythonLock& lock, lambed_slice event) {
  std::string_view json = view_of(event);
  const std::size_t begin = json.find_first_not_of(" \t\r\n");
  json.remove_prefix(begin == std::string_view::npos ? json.size()
                                                     : begin);  // scan_once wants the value itself
  const Ref string = text(json);
  if (!string) return {};
  const Ref pair = call(scan_once_.get(), string.get(), zero_.get());
  if (pair) return Ref::borrow(py.PyTuple_GetItem(pair.get(), 0));
  if (py.PyErr_ExceptionMatches(*py.PyExc_MemoryError_slot) != 0) return {};
  py.PyErr_Clear();
  const Ref unmarshal = member(lock, "unmarshal");  // the same again, for the message
  return unmarshal ? call(unmarshal.get(), string.get()) : Ref();
}

void Function::set_trace(PythonLock&, lambed_slice trace_id) {
  if (view_of(trace_id) == last_trace_id_) return;
  last_trace_id_.assign(view_of(trace_id));
  if (vm_.is_worker() && trace_id.size == 0) unsetenv(kTraceVariable);
  if (vm_.is_worker() && trace_id.size != 0) setenv(kTraceVariable, last_trace_id_.c_str(), 1);
  for (PyObject* table : {variables_.get(), child_variables_.get()}) {
    if (trace_id.size == 0) {
      if (py.PyDict_DelItem(table, trace_name_.get()) != 0) py.PyErr_Clear();
      continue;
    }
    const Ref value =
        Ref::steal(py.PyBytes_FromStringAndSize(trace_id.data, static_cast<Py_ssize_t>(trace_id.size)));
    if (!value || py.PyDict_SetItem(table, trace_name_.get(), value.get()) != 0) py.PyErr_Clear();
  }
}

void Function::set_request(PythonLock& lock, const lambed_invocation& invocation) {
  state_->request_id = text(view_of(invocation.request_id));
  state_->tenant_id =
      invocation.tenant_id.size == 0 ? Ref::borrow(py.none) : text(view_of(invocation.tenant_id));
  set_trace(lock, invocation.trace_id);
  if (view_of(invocation.invoked_function_arn) != last_arn_ || !last_arn_text_) {
    last_arn_.assign(view_of(invocation.invoked_function_arn));
    last_arn_text_ = text(last_arn_);
  }
}

Ref Function::make_arguments_context(PythonLock& lock, const lambed_invocation& invocation) {
  if (!state_->request_id || !state_->tenant_id || !last_arn_text_) return {};
  ContextValues values{};
  values.aws_request_id = state_->request_id.get();
  values.invoked_function_arn = last_arn_text_.get();
  values.client_context = py.none;
  values.tenant_id = state_->tenant_id.get();
  values.cognito_identity = py.none;
  values.deadline = invocation.deadline;
  values.deadline_epoch_ms = invocation.deadline_epoch_ms;
  Ref client_context;
  Ref identity;
  if (invocation.client_context.size != 0) {
    const Ref json = text(view_of(invocation.client_context));
    client_context = json ? call(make_client_context_.get(), json.get()) : Ref();
    if (!client_context) return {};
    values.client_context = client_context.get();
  }
  if (invocation.cognito_identity.size != 0) {
    identity = text(view_of(invocation.cognito_identity));
    if (!identity) return {};
    values.cognito_identity = identity.get();
  }
  return make_context(lock, reinterpret_cast<PyTypeObject*>(context_class_.get()), constants_, values);
}

bool Function::encode(PythonLock& lock, PyObject* value, Result& result) {
  PyTypeObject* const bytes_type = reinterpret_cast<PyTypeObject*>(bytes_type_.get());
  Py_ssize_t size = 0;
  if (Py_TYPE(value) == bytes_type || py.PyType_IsSubtype(Py_TYPE(value), bytes_type) != 0) {
    char* data = nullptr;
    if (py.PyBytes_AsStringAndSize(value, &data, &size) != 0) return false;
    result.owner = Ref::borrow(value);
    result.payload = {data, static_cast<std::size_t>(size)};
    result.is_binary = true;
    return true;
  }
  Ref pieces = call(encoder_.get(), value, zero_.get());
  // A tuple, but a list before 3.12. One piece is passed on as it is.
  Ref json = pieces ? Ref::steal(py.PyUnicode_Join(nothing_.get(), pieces.get())) : Ref();
  if (json && py.PyList_Size(decimal_marks_.get()) > 0) {
    const Ref put_decimals = member(lock, "put_decimals");
    json = put_decimals ? call(put_decimals.get(), json.get()) : Ref();
  }
  const char* const data = json ? py.PyUnicode_AsUTF8AndSize(json.get(), &size) : nullptr;
  if (data == nullptr) return false;
  result.owner = std::move(json);
  result.payload = {data, static_cast<std::size_t>(size)};
  return true;
}

bool Function::invoke(PythonLock& lock, const lambed_invocation& invocation) {
  state_->refused_module.clear();
  const std::uint64_t refusals = state_->account->refusals.load(std::memory_order_relaxed);
  state_->interruption->begin(invocation.token);
  Result result;
  set_request(lock, invocation);
  {
    const Ref event = decode(lock, invocation.event);
    if (event) result.phase = Phase::kHandler;
    const Ref context = event ? make_arguments_context(lock, invocation) : Ref();
    const Ref value = context ? call(handler_.get(), event.get(), context.get()) : Ref();
    if (value) result.phase = Phase::kMarshal;
    if (!value || !encode(lock, value.get(), result)) result.error = take_exception();
  }
  if (state_->is_forked) leave_forked_process(lock, std::move(result.error));
  const Stopped stopped = state_->interruption->end(lock);
  Outcome outcome;
  const bool failed = result.payload.data == nullptr;
  if (failed || stopped == Stopped::kRaised || state_->interruption->exit_request().requested) {
    if (result.phase == Phase::kMarshal && failed) {
      // The encoder's record of what it is inside of still holds what failed.
      const Ref make_encoder = member(lock, "make_encoder");
      const MemoryGrace grace;
      if (Ref fresh = make_encoder ? call(make_encoder.get()) : Ref()) encoder_ = std::move(fresh);
      py.PyErr_Clear();
    }
    outcome = outcome_of_exception(lock, result.phase, std::move(result.error), stopped);
    result.payload = slice_of(outcome.payload);
  } else {
    if (result.is_binary) outcome.flags |= LAMBED_OUTCOME_BINARY;
    if (stopped != Stopped::kNo) outcome.flags |= LAMBED_OUTCOME_DISCARD;
  }
  if (state_->account->refusals.load(std::memory_order_relaxed) != refusals)
    outcome.flags |= LAMBED_OUTCOME_DISCARD;
  state_->output->end_of_invocation();
  complete(invocation, outcome, result.payload);
  return (outcome.flags & LAMBED_OUTCOME_DISCARD) != 0;
}

// A child made by os.fork has come back from the handler. The answer is its parent's business.
void Function::leave_forked_process(PythonLock& lock, Ref error) {
  int status = 0;
  if (error) {
    const Ref leave = member(lock, "status_of_forked");
    const Ref code = leave ? call(leave.get(), error.get()) : Ref();
    status = code ? static_cast<int>(py.PyLong_AsLong(code.get())) : 1;
  }
  state_->output->flush();
  _exit(status);
}

void Function::complete(const lambed_invocation& invocation, const Outcome& outcome, lambed_slice payload) {
  lambed_outcome raw{};
  raw.size = sizeof raw;
  raw.kind = outcome.kind;
  raw.flags = outcome.flags;
  raw.exit_code = outcome.exit_code;
  raw.term_signal = outcome.term_signal;
  raw.payload = payload;
  raw.error_type = slice_of(outcome.error_type);
  raw.memory_peak = state_->account->peak_bytes();
  vm_.core()->complete(settings_.user, invocation.token, &raw);
}

void Function::stop_threads(PythonLock& lock) {
  const Ref function = member(lock, "stop_threads");
  if (function && !call(function.get())) py.PyErr_Clear();
}

void Function::forget(PythonLock& lock) {
  handler_.reset();
  const Ref function = member(lock, "forget_function");
  if (function && !call(function.get())) py.PyErr_Clear();
}

}  // namespace lambed::python
