#include "gateway_object.h"

#include <lambed/embedding.h>

#include <string>
#include <thread>
#include <utility>

#include "addon.h"
#include "convert.h"
#include "task.h"

namespace lambed::node_binding {
namespace {

class NoLog : public LogSink {
 public:
  void write(const LogRecord&) override {}
};

std::string text_argument(const Napi::CallbackInfo& info, std::size_t at, const char* name) {
  if (!info[at].IsString()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a string");
  return info[at].As<Napi::String>().Utf8Value();
}

int integer_argument(const Napi::CallbackInfo& info, std::size_t at, const char* name) {
  if (!info[at].IsNumber()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be an integer");
  return info[at].As<Napi::Number>().Int32Value();
}

// The rare members of an invocation, in the last argument of invoke.
void read_rare(const Napi::Value& value, InvokeRequest& request) {
  if (value.IsUndefined()) return;
  const Members members(value);
  request.client_context = members.text("clientContext").value_or("");
  request.cognito_identity = members.text("cognitoIdentity").value_or("");
  request.trace_id = members.text("traceId").value_or("");
  request.tenant_id = members.text("tenantId").value_or("");
  request.request_id = members.text("requestId").value_or("");
}

}  // namespace

Napi::Function GatewayObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeGateway",
      {InstanceMethod<&GatewayObject::create_function>("createFunction"),
       InstanceMethod<&GatewayObject::get_function_configuration>("getFunctionConfiguration"),
       InstanceMethod<&GatewayObject::update_function_code>("updateFunctionCode"),
       InstanceMethod<&GatewayObject::update_function_configuration>("updateFunctionConfiguration"),
       InstanceMethod<&GatewayObject::list_functions>("listFunctions"),
       InstanceMethod<&GatewayObject::delete_function>("deleteFunction"),
       InstanceMethod<&GatewayObject::publish_version>("publishVersion"),
       InstanceMethod<&GatewayObject::list_versions>("listVersions"),
       InstanceMethod<&GatewayObject::create_alias>("createAlias"),
       InstanceMethod<&GatewayObject::update_alias>("updateAlias"),
       InstanceMethod<&GatewayObject::get_alias>("getAlias"),
       InstanceMethod<&GatewayObject::list_aliases>("listAliases"),
       InstanceMethod<&GatewayObject::delete_alias>("deleteAlias"),
       InstanceMethod<&GatewayObject::put_function_concurrency>("putFunctionConcurrency"),
       InstanceMethod<&GatewayObject::get_function_concurrency>("getFunctionConcurrency"),
       InstanceMethod<&GatewayObject::delete_function_concurrency>("deleteFunctionConcurrency"),
       InstanceMethod<&GatewayObject::put_provisioned_concurrency>("putProvisionedConcurrency"),
       InstanceMethod<&GatewayObject::put_function_event_invoke_config>("putFunctionEventInvokeConfig"),
       InstanceMethod<&GatewayObject::update_function_event_invoke_config>("updateFunctionEventInvokeConfig"),
       InstanceMethod<&GatewayObject::get_function_event_invoke_config>("getFunctionEventInvokeConfig"),
       InstanceMethod<&GatewayObject::delete_function_event_invoke_config>("deleteFunctionEventInvokeConfig"),
       InstanceMethod<&GatewayObject::list_function_event_invoke_configs>("listFunctionEventInvokeConfigs"),
       InstanceMethod<&GatewayObject::list_dead_letters>("listDeadLetters"),
       InstanceMethod<&GatewayObject::get_dead_letter>("getDeadLetter"),
       InstanceMethod<&GatewayObject::redrive_dead_letters>("redriveDeadLetters"),
       InstanceMethod<&GatewayObject::purge_dead_letters>("purgeDeadLetters"),
       InstanceMethod<&GatewayObject::event_status>("eventStatus"),
       InstanceMethod<&GatewayObject::event_counts>("eventCounts"),
       InstanceMethod<&GatewayObject::usage>("usage"),
       InstanceMethod<&GatewayObject::status>("status"),
       InstanceMethod<&GatewayObject::logs>("logs"),
       InstanceMethod<&GatewayObject::clear_logs>("clearLogs"),
       InstanceMethod<&GatewayObject::close>("close"),
       InstanceMethod<&GatewayObject::invoke>("invoke")});
}

GatewayObject::GatewayObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GatewayObject>(info) {
  Addon& addon = Addon::of(info.Env());
  GatewayOptions options;
  try {
    options = gateway_options(info[0]);
  } catch (const Error& error) {
    throw Napi::Error(info.Env(), addon.error_to_js(info.Env(), error));
  }
  const std::string log = text_argument(info, 1, "log");
  if (log == "memory") {
    memory_ = std::make_shared<MemoryLogSink>();
    options.log_sink = memory_;
  } else if (log == "callback") {
    options.log_sink = std::make_shared<MailboxLogSink>(
        addon.shared_mailbox(), static_cast<std::uint32_t>(integer_argument(info, 2, "id")));
  } else if (log == "none") {
    options.log_sink = std::make_shared<NoLog>();
  } else {
    options.log_sink = make_stderr_sink();
  }
  // `wantsOutcomes`: there are hooks.
  if (info[3].ToBoolean()) {
    options.on_event_success =
        [mailbox = addon.shared_mailbox(),
         id = static_cast<std::uint32_t>(integer_argument(info, 2, "id"))](const EventOutcome& outcome) {
          mailbox->put(DeliveredOutcome{id, outcome});
        };
    options.on_event_failure = options.on_event_success;
  }
  // Here, on a JavaScript thread: it attaches to the running node.
  start_host("nodejs", options.host_options["nodejs"]);
  try {
    held_ = std::make_shared<HeldGateway>(std::move(options));
  } catch (const Error& error) {
    throw Napi::Error(info.Env(), addon.error_to_js(info.Env(), error));
  }
  addon.add(held_);
}

GatewayObject::~GatewayObject() {
  // Collected unclosed: that may take close_grace, which must not stop the JavaScript thread. The addon knows of it, too, and
  // waits for it at exit.
  if (held_ == nullptr || held_->get() == nullptr) return;
  std::thread([held = held_] { held->close(); }).detach();
}

std::shared_ptr<Gateway> GatewayObject::gateway(const Napi::CallbackInfo& info) const {
  if (std::shared_ptr<Gateway> gateway = held_->get()) return gateway;
  const Error closed(ErrorCode::GatewayClosed, "The gateway is closed.");
  throw Napi::Error(info.Env(), Addon::of(info.Env()).error_to_js(info.Env(), closed));
}

Napi::Value GatewayObject::create_function(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(),
                     [gateway = gateway(info), request = create_function_request(info[0])]() mutable {
                       return gateway->create_function(std::move(request));
                     });
}

Napi::Value GatewayObject::get_function_configuration(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  qualifier = optional_text(info[1], "qualifier")] {
    return gateway->get_function_configuration(name, qualifier);
  });
}

Napi::Value GatewayObject::update_function_code(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), request = update_code_request(info[0])]() mutable {
    return gateway->update_function_code(std::move(request));
  });
}

Napi::Value GatewayObject::update_function_configuration(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(),
                     [gateway = gateway(info), request = update_configuration_request(info[0])]() mutable {
                       return gateway->update_function_configuration(std::move(request));
                     });
}

Napi::Value GatewayObject::list_functions(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info)] { return gateway->list_functions(); });
}

Napi::Value GatewayObject::delete_function(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  qualifier = optional_text(info[1], "qualifier")] {
    gateway->delete_function(name, qualifier);
  });
}

Napi::Value GatewayObject::publish_version(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(),
                     [gateway = gateway(info), request = publish_version_request(info[0])]() mutable {
                       return gateway->publish_version(std::move(request));
                     });
}

Napi::Value GatewayObject::list_versions(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    return gateway->list_versions(name);
  });
}

Napi::Value GatewayObject::create_alias(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), request = alias_request(info[0])]() mutable {
    return gateway->create_alias(std::move(request));
  });
}

Napi::Value GatewayObject::update_alias(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), request = alias_request(info[0])]() mutable {
    return gateway->update_alias(std::move(request));
  });
}

Napi::Value GatewayObject::get_alias(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(),
                     [gateway = gateway(info), name = text_argument(info, 0, "name"),
                      alias = text_argument(info, 1, "alias")] { return gateway->get_alias(name, alias); });
}

Napi::Value GatewayObject::list_aliases(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    return gateway->list_aliases(name);
  });
}

Napi::Value GatewayObject::delete_alias(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(),
                     [gateway = gateway(info), name = text_argument(info, 0, "name"),
                      alias = text_argument(info, 1, "alias")] { gateway->delete_alias(name, alias); });
}

Napi::Value GatewayObject::put_function_concurrency(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  reserved = integer_argument(info, 1, "reserved")] {
    gateway->put_function_concurrency(name, reserved);
  });
}

Napi::Value GatewayObject::get_function_concurrency(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    return gateway->get_function_concurrency(name);
  });
}

Napi::Value GatewayObject::delete_function_concurrency(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    gateway->delete_function_concurrency(name);
  });
}

Napi::Value GatewayObject::put_provisioned_concurrency(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  qualifier = text_argument(info, 1, "qualifier"),
                                  environments = integer_argument(info, 2, "environments")] {
    gateway->put_provisioned_concurrency(name, qualifier, environments);
  });
}

Napi::Value GatewayObject::put_function_event_invoke_config(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), request = event_invoke_request(info[0])] {
    return gateway->put_function_event_invoke_config(request);
  });
}

Napi::Value GatewayObject::update_function_event_invoke_config(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), request = event_invoke_request(info[0])] {
    return gateway->update_function_event_invoke_config(request);
  });
}

Napi::Value GatewayObject::get_function_event_invoke_config(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  qualifier = optional_text(info[1], "qualifier")] {
    return gateway->get_function_event_invoke_config(name, qualifier);
  });
}

Napi::Value GatewayObject::delete_function_event_invoke_config(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name"),
                                  qualifier = optional_text(info[1], "qualifier")] {
    gateway->delete_function_event_invoke_config(name, qualifier);
  });
}

Napi::Value GatewayObject::list_function_event_invoke_configs(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    return gateway->list_function_event_invoke_configs(name);
  });
}

Napi::Value GatewayObject::list_dead_letters(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), query = dead_letter_query(info[0])] {
    return gateway->list_dead_letters(query);
  });
}

Napi::Value GatewayObject::get_dead_letter(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), id = text_argument(info, 0, "id")] {
    return gateway->get_dead_letter(id);
  });
}

Napi::Value GatewayObject::redrive_dead_letters(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), selection = dead_letter_selection(info[0])] {
    return gateway->redrive_dead_letters(selection);
  });
}

Napi::Value GatewayObject::purge_dead_letters(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), selection = dead_letter_selection(info[0])] {
    return gateway->purge_dead_letters(selection);
  });
}

Napi::Value GatewayObject::event_status(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), id = text_argument(info, 0, "requestId")] {
    return gateway->event_status(id);
  });
}

Napi::Value GatewayObject::event_counts(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), gateway(info)->event_counts());
}

Napi::Value GatewayObject::usage(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [gateway = gateway(info), name = text_argument(info, 0, "name")] {
    return gateway->usage(name);
  });
}

Napi::Value GatewayObject::status(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), held_->status());
}

Napi::Value GatewayObject::logs(const Napi::CallbackInfo& info) {
  if (memory_ == nullptr) return info.Env().Undefined();
  const auto records = memory_->records(optional_text(info[0], "name"));
  Napi::Array list = Napi::Array::New(info.Env(), records.size());
  for (std::uint32_t at = 0; at < records.size(); ++at) list.Set(at, to_js(info.Env(), records[at]));
  return list;
}

Napi::Value GatewayObject::clear_logs(const Napi::CallbackInfo& info) {
  if (memory_ != nullptr) memory_->clear();
  return info.Env().Undefined();
}

Napi::Value GatewayObject::close(const Napi::CallbackInfo& info) {
  return run_on_pool(info.Env(), [held = held_] { held->close(); });
}

void GatewayObject::invoke(const Napi::CallbackInfo& info) {
  InvokeRequest request;
  const std::uint32_t slot = info[0].As<Napi::Number>().Uint32Value();
  request.function = text_argument(info, 1, "the name of a function");
  if (!info[2].IsUndefined()) request.payload = payload_of(info[2]);
  request.qualifier = optional_text(info[3], "qualifier");
  const bool is_raw = info[4].ToBoolean();
  request.log_tail = info[5].ToBoolean();
  const int type = info[6].IsNumber() ? info[6].As<Napi::Number>().Int32Value() : 0;
  request.type = static_cast<InvocationType>(type);
  read_rare(info[7], request);
  gateway(info)->invoke(
      std::move(request),
      [mailbox = Addon::of(info.Env()).shared_mailbox(), slot, is_raw](InvokeResult result) {
        mailbox->put(Completion{slot, is_raw, std::move(result)});
      },
      CallbackThread::kAny);
}

}  // namespace lambed::node_binding
