// Requests from keyword arguments, configurations and reports as dictionaries of the Python dataclasses' members.
#pragma once

#include <lambed/gateway.h>
#include <pybind11/pybind11.h>

namespace lambed::bindings {

namespace py = pybind11;

GatewayOptions gateway_options(const py::dict& options);

CreateFunctionRequest create_request(const py::dict& members);
UpdateCodeRequest update_code_request(const py::dict& members);
UpdateConfigurationRequest update_configuration_request(const py::dict& members);
PublishVersionRequest publish_request(const py::dict& members);
AliasRequest alias_request(const py::dict& members);
EventInvokeRequest event_invoke_request(const py::dict& members);

py::dict to_dict(const FunctionConfiguration& configuration);
py::dict to_dict(const AliasConfiguration& configuration);
py::dict to_dict(const EventInvokeConfiguration& configuration);
py::dict to_dict(const DeadLetter& letter);
py::dict to_dict(const Redrive& redrive);
py::dict to_dict(const EventOutcome& outcome);
py::dict to_dict(const EventStatus& status);
py::dict to_dict(const EventCounts& counts);
py::dict to_dict(const FunctionUsage& usage);
py::dict to_dict(const GatewayStatus& status);
py::dict to_dict(const HostReport& report);
py::dict to_dict(const StoredLogRecord& record);

template <typename T>
py::list to_list(const std::vector<T>& values) {
  py::list list;
  for (const T& value : values) list.append(to_dict(value));
  return list;
}

}  // namespace lambed::bindings
