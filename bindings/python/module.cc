// lambed._native: the core as Python calls it. Plain and unchecked; lambed._gateway is the face that users see.
#include <lambed/embedding.h>
#include <lambed/gateway.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "callable_host.h"
#include "completions.h"
#include "fork_guard.h"
#include "outcomes.h"
#include "python_objects.h"
#include "values.h"

namespace lambed::bindings {
namespace {

// The request of an invocation, as a tuple of strings in this order; the payload is bytes or text.
InvokeRequest invoke_request(const py::tuple& arguments) {
  InvokeRequest request;
  const auto text = [&arguments](std::size_t at) { return std::string(view_of(arguments[at])); };
  request.function = text(0);
  request.payload = text(1);  // the one copy on the way in
  request.qualifier = text(2);
  request.type = static_cast<InvocationType>(arguments[3].cast<int>());
  request.log_tail = arguments[4].ptr() == Py_True;
  if (arguments.size() == 5) return request;
  request.client_context = text(5);
  request.cognito_identity = text(6);
  request.trace_id = text(7);
  request.tenant_id = text(8);
  request.request_id = text(9);
  return request;
}

bool on_main_thread() { return getpid() == static_cast<pid_t>(gettid()); }

// With the GIL released; not a py::gil_scoped_release, whose destructor must not be unwound by an interpreter that ends.
template <typename Call>
auto without_gil(Call call) {
  PyThreadState* const state = PyEval_SaveThread();
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      PyEval_RestoreThread(state);
    } else {
      auto result = call();
      PyEval_RestoreThread(state);
      return result;
    }
  } catch (const std::exception&) {
    PyEval_RestoreThread(state);
    throw;
  }
}

class PythonGateway {
 public:
  PythonGateway(const py::dict& options, std::shared_ptr<Outcomes> outcomes) : sink_(), gateway_() {
    prepare_for_fork();
    GatewayOptions made = gateway_options(options);
    sink_ = std::dynamic_pointer_cast<MemoryLogSink>(made.log_sink);
    if (outcomes != nullptr) {
      made.on_event_success = [outcomes](const EventOutcome& outcome) { outcomes->put(outcome); };
      made.on_event_failure = made.on_event_success;
    }
    gateway_ = std::make_unique<Gateway>(std::move(made));
  }
  // The last reference may go while handlers need the GIL to stop.
  ~PythonGateway() {
    PyThreadState* const state = PyEval_SaveThread();
    gateway_.reset();
    PyEval_RestoreThread(state);
  }
  PythonGateway(const PythonGateway&) = delete;
  PythonGateway& operator=(const PythonGateway&) = delete;

  Gateway& operator*() { return *gateway_; }
  MemoryLogSink* sink() { return sink_.get(); }

  py::tuple invoke(const py::tuple& arguments, bool raw) {
    InvokeRequest request = invoke_request(arguments);
    PyThreadState* state = PyEval_SaveThread();
    std::optional<Error> error;
    InvokeResult result;
    bool signalled = false;
    // Python runs signal handlers on the main thread only; the others need not look up.
    const std::function<bool()> go_on = [&state, &signalled] {
      PyEval_RestoreThread(state);
      signalled = PyErr_CheckSignals() != 0;
      state = PyEval_SaveThread();
      return !signalled;
    };
    try {
      result = on_main_thread() ? gateway_->invoke(std::move(request), go_on)
                                : gateway_->invoke(std::move(request));
    } catch (const Error& caught) {
      error = caught;
    }
    PyEval_RestoreThread(state);
    if (signalled) throw py::error_already_set();
    if (error) throw *error;
    return result_fields(result, raw);
  }

  // Returns at once; the answer comes through `completions` under `ticket`.
  void submit(const py::tuple& arguments, const Completions& completions, std::uint64_t ticket) {
    InvokeRequest request = invoke_request(arguments);
    without_gil([&] {
      gateway_->invoke(
          std::move(request),
          [queue = completions.queue(), ticket](InvokeResult result) {
            queue->send(ticket, std::move(result));
          },
          CallbackThread::kAny);
    });
  }

 private:
  std::shared_ptr<MemoryLogSink> sink_;
  std::unique_ptr<Gateway> gateway_;
};

// A method that calls the gateway without the GIL and turns what comes back into dictionaries.
template <typename Result, typename Call>
Result called(PythonGateway& self, Call call) {
  auto value = without_gil([&] { return call(*self); });
  if constexpr (std::is_same_v<Result, py::list>) {
    return to_list(value);
  } else {
    return to_dict(value);
  }
}

void define_functions(py::class_<PythonGateway>& type) {
  type.def("create_function", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(
        self, [request = create_request(members)](Gateway& g) { return g.create_function(request); });
  });
  type.def("get_function_configuration",
           [](PythonGateway& self, const std::string& function, const std::string& qualifier) {
             return called<py::dict>(
                 self, [&](Gateway& g) { return g.get_function_configuration(function, qualifier); });
           });
  type.def("update_function_code", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(self, [request = update_code_request(members)](Gateway& g) {
      return g.update_function_code(request);
    });
  });
  type.def("update_function_configuration", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(self, [request = update_configuration_request(members)](Gateway& g) {
      return g.update_function_configuration(request);
    });
  });
  type.def("list_functions", [](PythonGateway& self) {
    return called<py::list>(self, [](Gateway& g) { return g.list_functions(); });
  });
  type.def("delete_function",
           [](PythonGateway& self, const std::string& function, const std::string& qualifier) {
             without_gil([&] { (*self).delete_function(function, qualifier); });
           });
}

void define_versions(py::class_<PythonGateway>& type) {
  type.def("publish_version", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(
        self, [request = publish_request(members)](Gateway& g) { return g.publish_version(request); });
  });
  type.def("list_versions", [](PythonGateway& self, const std::string& function) {
    return called<py::list>(self, [&](Gateway& g) { return g.list_versions(function); });
  });
  type.def("create_alias", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(
        self, [request = alias_request(members)](Gateway& g) { return g.create_alias(request); });
  });
  type.def("update_alias", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(
        self, [request = alias_request(members)](Gateway& g) { return g.update_alias(request); });
  });
  type.def("get_alias", [](PythonGateway& self, const std::string& function, const std::string& alias) {
    return called<py::dict>(self, [&](Gateway& g) { return g.get_alias(function, alias); });
  });
  type.def("list_aliases", [](PythonGateway& self, const std::string& function) {
    return called<py::list>(self, [&](Gateway& g) { return g.list_aliases(function); });
  });
  type.def("delete_alias", [](PythonGateway& self, const std::string& function, const std::string& alias) {
    without_gil([&] { (*self).delete_alias(function, alias); });
  });
}

void define_concurrency(py::class_<PythonGateway>& type) {
  type.def("put_function_concurrency", [](PythonGateway& self, const std::string& function, int reserved) {
    without_gil([&] { (*self).put_function_concurrency(function, reserved); });
  });
  type.def("get_function_concurrency", [](PythonGateway& self, const std::string& function) {
    return without_gil([&] { return (*self).get_function_concurrency(function); });
  });
  type.def("delete_function_concurrency", [](PythonGateway& self, const std::string& function) {
    without_gil([&] { (*self).delete_function_concurrency(function); });
  });
  type.def("put_provisioned_concurrency", [](PythonGateway& self, const std::string& function,
                                             const std::string& qualifier, int environments) {
    without_gil([&] { (*self).put_provisioned_concurrency(function, qualifier, environments); });
  });
}

void define_events(py::class_<PythonGateway>& type) {
  type.def("put_function_event_invoke_config", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(self, [request = event_invoke_request(members)](Gateway& g) {
      return g.put_function_event_invoke_config(request);
    });
  });
  type.def("update_function_event_invoke_config", [](PythonGateway& self, const py::dict& members) {
    return called<py::dict>(self, [request = event_invoke_request(members)](Gateway& g) {
      return g.update_function_event_invoke_config(request);
    });
  });
  type.def("get_function_event_invoke_config",
           [](PythonGateway& self, const std::string& function, const std::string& qualifier) {
             return called<py::dict>(
                 self, [&](Gateway& g) { return g.get_function_event_invoke_config(function, qualifier); });
           });
  type.def("delete_function_event_invoke_config",
           [](PythonGateway& self, const std::string& function, const std::string& qualifier) {
             without_gil([&] { (*self).delete_function_event_invoke_config(function, qualifier); });
           });
  type.def("list_function_event_invoke_configs", [](PythonGateway& self, const std::string& function) {
    return called<py::list>(self, [&](Gateway& g) { return g.list_function_event_invoke_configs(function); });
  });
  type.def("list_dead_letters", [](PythonGateway& self, const std::string& function, const std::string& after,
                                   std::size_t limit) {
    return called<py::list>(self, [&](Gateway& g) { return g.list_dead_letters({function, after, limit}); });
  });
  type.def("get_dead_letter", [](PythonGateway& self, const std::string& id) {
    return called<py::dict>(self, [&](Gateway& g) { return g.get_dead_letter(id); });
  });
  type.def("redrive_dead_letters", [](PythonGateway& self, const std::vector<std::string>& ids,
                                      const std::string& function) {
    return called<py::dict>(self, [&](Gateway& g) { return g.redrive_dead_letters({ids, function}); });
  });
  type.def("purge_dead_letters",
           [](PythonGateway& self, const std::vector<std::string>& ids, const std::string& function) {
             return without_gil([&] { return (*self).purge_dead_letters({ids, function}); });
           });
}

void define_asynchronous(py::class_<PythonGateway>& type) {
  type.def("event_status", [](PythonGateway& self, const std::string& request_id) {
    return called<py::dict>(self, [&](Gateway& g) { return g.event_status(request_id); });
  });
  type.def("event_counts", [](PythonGateway& self) {
    return called<py::dict>(self, [](Gateway& g) { return g.event_counts(); });
  });
}

void define_observation(py::class_<PythonGateway>& type) {
  type.def("usage", [](PythonGateway& self, const std::string& function) {
    return called<py::dict>(self, [&](Gateway& g) { return g.usage(function); });
  });
  type.def("status",
           [](PythonGateway& self) { return called<py::dict>(self, [](Gateway& g) { return g.status(); }); });
  // None unless the log is kept in memory.
  type.def("logs", [](PythonGateway& self, const std::string& function) -> py::object {
    if (self.sink() == nullptr) return py::none();
    return to_list(self.sink()->records(function));
  });
  type.def("clear_logs", [](PythonGateway& self) {
    if (self.sink() != nullptr) self.sink()->clear();
  });
}

}  // namespace

PYBIND11_MODULE(_native, module) {
  module.doc() = "The core of lambed; use the classes of the package lambed.";
  // Nothing is started by an import: no thread, no interpreter. A process may fork afterwards.
  declare_context(Context::kPython);
  register_callable_host();

  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      const py::object value = error_object(error);
      PyErr_SetObject(py::type::handle_of(value).ptr(), value.ptr());
    }
  });

  py::class_<Completions>(module, "Completions")
      .def(py::init<>())
      .def("fileno", &Completions::descriptor)
      .def("take", &Completions::take);

  py::class_<Outcomes, std::shared_ptr<Outcomes>>(module, "Outcomes")
      .def(py::init<>())
      .def("take", &Outcomes::take)
      .def("end", &Outcomes::end);

  py::class_<PythonGateway> gateway(module, "Gateway");
  gateway.def(py::init<const py::dict&, std::shared_ptr<Outcomes>>(), py::arg("options"),
              py::arg("outcomes").none(true));
  gateway.def("invoke", &PythonGateway::invoke);
  gateway.def("submit", &PythonGateway::submit);
  gateway.def("close", [](PythonGateway& self) { without_gil([&] { (*self).close(); }); });
  define_functions(gateway);
  define_versions(gateway);
  define_concurrency(gateway);
  define_events(gateway);
  define_asynchronous(gateway);
  define_observation(gateway);

  module.def("hosts", [](bool probe) {
    const auto reports = without_gil([&] { return Gateway::hosts(probe); });
    return to_list(reports);
  });
  // [(name, HTTP status, message member, type)]: what lambed/errors.py is generated from.
  module.def("error_table", [] {
    py::list table;
#define LAMBED_PYTHON_ERROR(name, status, member, type) \
  table.append(py::make_tuple(#name, status, member, type));
    LAMBED_ERRORS(LAMBED_PYTHON_ERROR)
#undef LAMBED_PYTHON_ERROR
    return table;
  });
  module.attr("version") = LAMBED_VERSION;
}

}  // namespace lambed::bindings
