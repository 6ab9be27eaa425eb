// The native half of lib/gateway.cjs's Gateway.
#ifndef LAMBED_BINDINGS_NODE_GATEWAY_OBJECT_H
#define LAMBED_BINDINGS_NODE_GATEWAY_OBJECT_H

#include <lambed/gateway.h>
#include <napi.h>

#include <memory>

#include "held_gateway.h"

namespace lambed::node_binding {

// new NativeGateway(options, log, id): `log` is "stderr", "memory", "none" or "callback"; `id` names it in callbacks.
class GatewayObject : public Napi::ObjectWrap<GatewayObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit GatewayObject(const Napi::CallbackInfo& info);
  // Collected without close(): closes in the background.
  ~GatewayObject() override;

 private:
  Napi::Value create_function(const Napi::CallbackInfo& info);
  Napi::Value get_function_configuration(const Napi::CallbackInfo& info);
  Napi::Value update_function_code(const Napi::CallbackInfo& info);
  Napi::Value update_function_configuration(const Napi::CallbackInfo& info);
  Napi::Value list_functions(const Napi::CallbackInfo& info);
  Napi::Value delete_function(const Napi::CallbackInfo& info);
  Napi::Value publish_version(const Napi::CallbackInfo& info);
  Napi::Value list_versions(const Napi::CallbackInfo& info);
  Napi::Value create_alias(const Napi::CallbackInfo& info);
  Napi::Value update_alias(const Napi::CallbackInfo& info);
  Napi::Value get_alias(const Napi::CallbackInfo& info);
  Napi::Value list_aliases(const Napi::CallbackInfo& info);
  Napi::Value delete_alias(const Napi::CallbackInfo& info);
  Napi::Value put_function_concurrency(const Napi::CallbackInfo& info);
  Napi::Value get_function_concurrency(const Napi::CallbackInfo& info);
  Napi::Value delete_function_concurrency(const Napi::CallbackInfo& info);
  Napi::Value put_provisioned_concurrency(const Napi::CallbackInfo& info);
  Napi::Value put_function_event_invoke_config(const Napi::CallbackInfo& info);
  Napi::Value update_function_event_invoke_config(const Napi::CallbackInfo& info);
  Napi::Value get_function_event_invoke_config(const Napi::CallbackInfo& info);
  Napi::Value delete_function_event_invoke_config(const Napi::CallbackInfo& info);
  Napi::Value list_function_event_invoke_configs(const Napi::CallbackInfo& info);
  Napi::Value list_dead_letters(const Napi::CallbackInfo& info);
  Napi::Value get_dead_letter(const Napi::CallbackInfo& info);
  Napi::Value redrive_dead_letters(const Napi::CallbackInfo& info);
  Napi::Value purge_dead_letters(const Napi::CallbackInfo& info);
  Napi::Value event_status(const Napi::CallbackInfo& info);
  Napi::Value event_counts(const Napi::CallbackInfo& info);
  Napi::Value usage(const Napi::CallbackInfo& info);
  Napi::Value status(const Napi::CallbackInfo& info);
  Napi::Value logs(const Napi::CallbackInfo& info);
  Napi::Value clear_logs(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  // invoke(slot, function, payload, qualifier, isRaw, logTail, type, rare): answered through the mailbox.
  void invoke(const Napi::CallbackInfo& info);

  // Throws GatewayClosed once it is closed.
  std::shared_ptr<Gateway> gateway(const Napi::CallbackInfo& info) const;

  std::shared_ptr<HeldGateway> held_;
  std::shared_ptr<MemoryLogSink> memory_;  // null unless the log is kept
};

}  // namespace lambed::node_binding
#endif
