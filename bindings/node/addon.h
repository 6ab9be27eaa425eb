// What belongs to one JavaScript environment: its mailbox, its gateways, how it makes errors.
#ifndef LAMBED_BINDINGS_NODE_ADDON_H
#define LAMBED_BINDINGS_NODE_ADDON_H

#include <lambed/gateway.h>
#include <napi.h>

#include <memory>
#include <set>
#include <string>

#include "held_gateway.h"
#include "mailbox.h"

namespace lambed::node_binding {

// The JavaScript thread's own.
class Addon {
 public:
  // Sets up `exports`; lib/native.cjs tells what each function does.
  static Napi::Object install(Napi::Env env, Napi::Object exports);
  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  Addon();

  Mailbox& mailbox() { return *mailbox_; }
  const std::shared_ptr<Mailbox>& shared_mailbox() { return mailbox_; }
  // What a promise is rejected with; lib/completions.cjs makes an Error of it.
  Napi::Value error_to_js(Napi::Env env, const Error& error);

  void add(const std::shared_ptr<HeldGateway>& gateway);
  // Closes every gateway of this environment and waits for it. True when environments had to be abandoned: their threads
  // run on.
  bool close_all();

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value close_all_from_js(const Napi::CallbackInfo& info);
  Napi::Value end_before_v8_from_js(const Napi::CallbackInfo& info);

  std::shared_ptr<Mailbox> mailbox_;
  Napi::FunctionReference make_error_;
  std::set<std::shared_ptr<HeldGateway>> gateways_;
  bool has_abandoned_ = false;
};

}  // namespace lambed::node_binding
#endif
